"""Load weight files into a net, with notes on weights that match no layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from protonet.errors import FormatError
from protonet.formats.stored_weights import int8_params_in, stored_weights
from protonet.graph.net import Net
from protonet.jobs.inference.trained_run import choose_snapshot
from protonet.jobs.run.directory import RunDirectory
from protonet.proto.caffe_pb2 import Int8Parameter
from protonet.torch7.conversion import layer_weights

Notify = Callable[[str], None]
"""Called with a line for the user."""


def load_weights(net: Net, files: Sequence[str | Path], notify: Notify | None) -> None:
    """Load weight files in order by layer names, as Caffe does.

    ``notify`` gets Caffe's line for each ignored source layer, and one for the layers of the net
    without weights in any file, which Caffe does not report.

    Raises:
        UsageError, FormatError: for unreadable files, or weights of another net.
    """
    absent: list[str] | None = None
    told: list[str] = []
    for file in files:
        report = net.load(layer_weights(file), str(file))
        absent = [name for name in report.absent if absent is None or name in absent]
        for name in report.unused:
            told.append(f"Ignoring source layer {name}")
    if absent:
        sources = ", ".join(map(str, files))
        told.append(
            f"{sources}: no weights for {', '.join(absent)}; these keep the values of their fillers"
        )
    if notify is not None:
        for line in told:
            notify(line)


def quantized(files: Sequence[str | Path]) -> dict[str, Int8Parameter]:
    """What was measured of the values of layers, by name, where files of weights were quantized."""
    found: dict[str, Int8Parameter] = {}
    for file in map(Path, files):
        with suppress(OSError, ValueError, FormatError):  # of other kinds; loading says more
            found.update(int8_params_in(stored_weights(file)))
    return found


def with_runs(weights: str) -> str:
    """The list of files with a file for each run: its last snapshot, or that of ``RUN@best`` and
    ``RUN@500``.

    Raises:
        UsageError: for a run without such a snapshot.
    """
    return ",".join(map(_file_of, listed(weights)))


def _file_of(name: str) -> str:
    folder, at, which = name.rpartition("@")
    if Path(name).is_dir():
        folder, at, which = name, "@", "last"
    if not at or (Path(name).exists() and not Path(name).is_dir()) or not Path(folder).is_dir():
        return name
    run = RunDirectory.open(Path(folder))
    return str(run.snapshots().best_model(choose_snapshot(run, which)))


def listed(weights: str) -> list[str]:
    """The files of a comma-separated list."""
    return [part.strip() for part in weights.split(",") if part.strip()]
