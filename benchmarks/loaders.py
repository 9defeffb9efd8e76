"""The input pipeline beside DALI, Grain and PyTorch: JPEG records of 256x256 to crops of 227.

Crops and mirroring are random, a mean is subtracted, and float32 batches come out. Every pipeline
has a process of its own with two threads or two worker processes. Their images are compared first;
then rounds alternate between all of them. The others are installed into an environment of their
own, whose interpreter is named by ``--python``.
"""

from __future__ import annotations

import argparse
import datetime
import statistics
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from input import write
from loader_settings import BATCH, LOADERS, write_files
from machine import describe, keep_to_cores
from processes import Loader, alternate
from protonet.data.database import Database
from report import Target, table, targets_table
from settings import Setting

_HERE = Path(__file__).parent
_ALLOWED = 3.0
"""The largest mean difference of a batch: the decoders' ways to interpolate colour differ."""


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default=sys.executable, help="the other pipelines' interpreter")
    parser.add_argument(
        "--only", default=list(LOADERS), type=lambda text: text.split(","), metavar="NAME,..."
    )
    parser.add_argument("--records", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=1.0, help="of a turn")
    parser.add_argument("--markdown", action="store_true", help="write RESULTS-INPUT.md too")
    found = parser.parse_args(arguments)
    if unknown := [name for name in found.only if name not in LOADERS]:
        parser.error(f"there is no '{unknown[0]}', but {', '.join(LOADERS)}")
    return found


def main() -> None:
    """Measure, print, and write with --markdown."""
    asked = options()
    keep_to_cores()
    with tempfile.TemporaryDirectory() as folder:
        text = measure(asked, Path(folder))
    print(text, end="")
    if asked.markdown:
        (_HERE / "RESULTS-INPUT.md").write_text(text)


def measure(asked: argparse.Namespace, folder: Path) -> str:
    """All measurements, as text."""
    write(folder, "jpeg", asked.records)
    with Database(folder / "jpeg") as database:
        files = [datum.data for _, datum in database]
    write_files(folder, files)
    missing, versions, sides = {}, {}, {}
    with ExitStack() as stack:
        for name in asked.only:
            python = sys.executable if name == "protonet" else asked.python
            side = stack.enter_context(Loader(name, folder, python))
            try:
                versions[name] = side.ask("open", plain=True)
                side.ask("batch", path=str(folder / f"{name}.npy"))
                check(name, folder)
                side.ask("open", plain=False)
                sides[name] = side
            except RuntimeError as error:
                missing[name] = str(error)
        seconds = alternate(sides, asked.rounds, asked.seconds)
    size = statistics.mean(map(len, files)) / 1024
    machine = describe(Setting())
    today = datetime.datetime.now(datetime.UTC).date()
    head = [machine[0], *machine[1:-1], f"{today}, {asked.rounds} rounds, files of {size:.0f} KiB"]
    return report(head, versions, seconds, missing)


def check(name: str, folder: Path) -> None:
    """Compare the first batch of a pipeline with protonet's.

    Raises:
        RuntimeError: where they differ.
    """
    ours, found = (np.load(folder / f"{each}.npy") for each in ("protonet", name))
    if found.shape != ours.shape or found.dtype != np.float32:
        raise RuntimeError(f"its batches are {found.dtype} of shape {found.shape}")
    difference = float(np.abs(found - ours).mean())
    if not difference <= _ALLOWED:
        raise RuntimeError(f"its images differ from protonet's by {difference:.1f} on average")


def report(
    head: Sequence[str],
    versions: dict[str, str],
    seconds: dict[str, list[float]],
    missing: dict[str, str],
) -> str:
    """The tables."""
    rows = []
    for name, took in seconds.items():
        rate = BATCH / statistics.median(took)
        row = [LOADERS[name].title, versions[name], f"{rate:.0f}"]
        rows.append([*row, "" if name == "protonet" else f"{ratio(seconds, name):.2f}"])
    parts = ["# Results of the input pipeline", "\n".join(f"- {line}" for line in head)]
    titles = ["pipeline", "version", "records/s", "protonet relative to it"]
    parts.append(f"## Records per second\n\n{table(titles, rows)}")
    if missing:
        rows = [[LOADERS[name].title, why] for name, why in missing.items()]
        parts.append(f"## Not measured\n\n{table(['pipeline', 'why'], rows)}")
    if others := [name for name in seconds if name != "protonet"]:
        best = min(others, key=lambda name: statistics.median(seconds[name]))
        title = f"JPEG records, beside the fastest ({LOADERS[best].title})"
        parts.append(targets_table([Target.at_least(title, 1, ratio(seconds, best), " x")]))
    return "\n\n".join(parts) + "\n"


def ratio(seconds: dict[str, list[float]], name: str) -> float:
    """How many times as fast protonet is as another: the median over the rounds' ratios."""
    pairs = zip(seconds["protonet"], seconds[name], strict=True)
    return statistics.median(other / ours for ours, other in pairs)


if __name__ == "__main__":
    main()
