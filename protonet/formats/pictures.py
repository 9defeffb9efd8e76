"""Figures of matplotlib as the bytes of a picture, and as files that are there whole or not."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from protonet.formats.atomic import write_atomic

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def picture_bytes(figure: Figure, kind: str, *, dpi: int = 160) -> bytes:
    """The figure as an svg, png, jpg or pdf file."""
    buffer = BytesIO()
    figure.savefig(buffer, format=kind, dpi=dpi)
    return buffer.getvalue()


def write_picture(figure: Figure, path: Path, kind: str) -> None:
    """Write the figure, whole or not at all.

    Raises:
        UsageError: when the folder cannot be written to.
        FormatError: when the disk is full.
    """
    write_atomic(path, picture_bytes(figure, kind))
