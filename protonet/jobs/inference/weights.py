"""Load weight files into a net, with notes on weights that match no layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from protonet.formats.caffemodel import read_weights
from protonet.graph.net import Net

Notify = Callable[[str], None]
"""Given a line that is worth a person's look."""


def load_weights(net: Net, files: Sequence[str | Path], notify: Notify | None) -> None:
    """Load files one after the other by the names of layers, as Caffe does.

    ``notify`` gets Caffe's own line for each layer whose weights are passed over, and one for the
    layers of the net that no file has weights for, of which Caffe says nothing.

    Raises:
        UsageError, FormatError: for files that cannot be read, or weights of another net.
    """
    absent: list[str] | None = None
    told: list[str] = []
    for file in files:
        report = net.load(read_weights(file), str(file))
        absent = [name for name in report.absent if absent is None or name in absent]
        for name in report.unused:
            told.append(f"Ignoring source layer {name}")
    if absent:
        sources = ", ".join(map(str, files))
        told.append(f"{sources}: no weights for {', '.join(absent)}; what the fillers made stays")
    if notify is not None:
        for line in told:
            notify(line)


def listed(weights: str) -> list[str]:
    """The files of a comma list."""
    return [part.strip() for part in weights.split(",") if part.strip()]
