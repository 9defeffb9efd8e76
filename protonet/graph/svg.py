"""Boxes and arrows as an SVG file, written line by line: fast for thousands of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

Point = tuple[float, float]

_UNIT = 72.0
"""Points of the picture to one of the drawing's units, an inch."""

_NO_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Box:
    """A layer: the centre of its box, two lines of text, and its style."""

    at: Point
    lines: tuple[str, str]
    color: str
    faint: bool = False


@dataclass(frozen=True)
class Arrow:
    """A blob between two layers: from ``tail`` to ``head``, curved by ``bend`` of its length."""

    tail: Point
    head: Point
    bend: float
    text: str
    text_at: Point


def picture(
    boxes: Sequence[Box],
    arrows: Sequence[Arrow],
    *,
    extent: tuple[float, float, float, float],
    size: tuple[float, float],
    scale: float,
) -> bytes:
    """The file's bytes.

    Args:
        boxes: drawn over the arrows.
        arrows: drawn between them.
        extent: least x, greatest y (upwards), width and height of the visible area.
        size: width and height of a box.
        scale: inches per unit.
    """
    left, top, width, height = extent

    def place(point: Point) -> Point:
        return (point[0] - left) * _UNIT, (top - point[1]) * _UNIT

    shown = f'width="{width * scale * _UNIT:.0f}pt" height="{height * scale * _UNIT:.0f}pt"'
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        f'<svg xmlns="http://www.w3.org/2000/svg" {shown} '
        f'viewBox="0 0 {width * _UNIT:.0f} {height * _UNIT:.0f}" '
        'font-family="DejaVu Sans, Arial, sans-serif" text-anchor="middle">',
        '<defs><marker id="tip" markerWidth="8" markerHeight="6" refX="8" refY="3" orient="auto">'
        '<path d="M0,0 L8,3 L0,6 Z" fill="#666"/></marker></defs>',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for arrow in arrows:
        lines += _arrow(arrow, place(arrow.tail), place(arrow.head), place(arrow.text_at))
    for box in boxes:
        lines += _box(box, place(box.at), size)
    return "\n".join([*lines, "</svg>", ""]).encode()


def _arrow(arrow: Arrow, tail: Point, head: Point, text_at: Point) -> Iterator[str]:
    across = (head[0] - tail[0], head[1] - tail[1])
    # y points down here, which mirrors the side of the bend
    control = (
        (tail[0] + head[0]) / 2 - arrow.bend * across[1],
        (tail[1] + head[1]) / 2 + arrow.bend * across[0],
    )
    yield (
        f'<path d="M{_pair(tail)} Q{_pair(control)} {_pair(head)}" fill="none" stroke="#666" '
        'stroke-width="0.8" marker-end="url(#tip)"/>'
    )
    yield (
        f'<text x="{text_at[0]:.1f}" y="{text_at[1] - 1:.1f}" font-size="6" fill="#555">'
        f"{_text(arrow.text)}</text>"
    )


def _box(box: Box, at: Point, size: tuple[float, float]) -> Iterator[str]:
    width, height = size[0] * _UNIT, size[1] * _UNIT
    dashed = ' stroke-dasharray="4 2" opacity="0.55"' if box.faint else ""
    yield (
        f'<rect x="{at[0] - width / 2:.1f}" y="{at[1] - height / 2:.1f}" width="{width:.1f}" '
        f'height="{height:.1f}" rx="7" fill="{box.color}" stroke="#444" stroke-width="0.8"'
        f"{dashed}/>"
    )
    for line, shift in zip(box.lines, (-2, 8), strict=True):
        yield (f'<text x="{at[0]:.1f}" y="{at[1] + shift:.1f}" font-size="8">{_text(line)}</text>')


def _pair(point: Point) -> str:
    return f"{point[0]:.1f},{point[1]:.1f}"


def _text(text: str) -> str:
    """Text escaped for an element: no markup, and no characters that XML forbids."""
    return escape(_NO_XML.sub("\ufffd", text))
