"""Figures of matplotlib as image bytes, and as files written atomically."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from protonet.errors import UsageError
from protonet.formats.atomic import write_atomic

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Box = tuple[float, float, float, float]


def picture_kind(path: Path, known: Sequence[str]) -> str:
    """The format that a file's name asks for.

    Raises:
        UsageError: for another one than those that are known.
    """
    kind = path.suffix.removeprefix(".").lower()
    if kind not in known:
        raise UsageError(f"{path}: expected a picture of kind {', '.join(known)}")
    return kind


def new_figure(width: float, height: float, *, inside: Box | None = None) -> Figure:
    """A figure to draw on, of so many inches, without a window.

    Args:
        width: in inches.
        height: in inches.
        inside: where its axes lie: left, bottom, right and top as shares of the figure. By default
            they leave as much room as their texts need, which takes as long as drawing all.
    """
    # The first use on a machine logs that it builds a font cache: noise on a terminal.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout=None if inside else "constrained")
    if inside:
        figure.subplots_adjust(*inside)
    FigureCanvasAgg(figure)
    return figure


def picture_bytes(figure: Figure, kind: str, *, dpi: int = 160) -> bytes:
    """The figure as an svg, png, jpg or pdf file."""
    buffer = BytesIO()
    figure.savefig(buffer, format=kind, dpi=dpi)
    return buffer.getvalue()


def write_picture(figure: Figure, path: Path, kind: str) -> None:
    """Write the figure atomically.

    Raises:
        UsageError: when the folder cannot be written to.
        FormatError: when the disk is full.
    """
    write_atomic(path, picture_bytes(figure, kind))
