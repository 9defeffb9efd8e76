"""Whether a training's memory grows with its iterations: the seed network in a run directory, with
all that listeners write there.

    python benchmarks/memory_growth.py [ITERATIONS,...]

Prints the resident memory (VmRSS) after each count of iterations; 20,000 and 200,000 by default.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from protonet.data.create import create_gradients
from protonet.jobs.run.settings import RunSettings
from protonet.jobs.training import start as training
from protonet.proto.text import Source, read_net
from protonet.train.events import Event, Iterated

NETWORK = Path(__file__).parents[1] / "examples" / "prototxt" / "gradients" / "net.prototxt"
_BATCH, _IMAGES = 10, 100


def resident() -> int:
    """KiB that this process holds now."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    raise RuntimeError("no VmRSS: this needs Linux")


class Watch:
    """Prints the memory when an iteration is reached."""

    def __init__(self, marks: list[int]) -> None:
        self._marks = marks

    def __call__(self, event: Event) -> None:
        """Look at the iteration of ``event``."""
        if self._marks and isinstance(event, Iterated) and event.iteration >= self._marks[0]:
            print(f"{self._marks.pop(0):>9,} iterations: {resident() / 1024:.1f} MiB", flush=True)


def main() -> None:
    """Train until the last count."""
    given = sys.argv[1] if len(sys.argv) > 1 else "20000,200000"
    marks = [int(each) for each in given.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        create_gradients(data, 50, 50, _IMAGES, 20, seed=1)
        # what imports and drawing take once is taken before the first count
        for name, iterations, seen in (("warm", 2000, []), ("run", marks[-1] + 20, marks)):
            settings = RunSettings(
                data / "train_images", data / "train_labels",
                data / "val_images", data / "val_labels",
                epochs=iterations * _BATCH / _IMAGES, batch_size=_BATCH,
                snapshot_every=100, val_every=100, out=Path(folder) / name,
            )  # fmt: skip
            network = read_net(Source.read(NETWORK))
            training.start(network, settings, listeners=[Watch(seen)])


if __name__ == "__main__":
    main()
