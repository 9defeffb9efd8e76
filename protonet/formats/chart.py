"""A chart of curves over one x axis, drawn with Pillow: to import matplotlib and draw it so takes
a second, as long as a short training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from io import BytesIO
from itertools import pairwise
from math import hypot
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from protonet.formats.scale import Scale

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont, ImageFont

Point = tuple[float, float]
Style = Literal["line", "marks", "steps"]

_WIDTH, _HEIGHT = 1280, 768
_LEFT, _TOP, _RIGHT, _BOTTOM = 154, 50, 1139, 684
_MIDDLE = (_TOP + _BOTTOM) / 2
_LARGER = 2
_BLACK, _GRID = "#000000", "#e6e6e6"
_NORMAL, _SMALL, _TITLE = 22, 18, 27
_MARK = 4.5
_DOT, _PERIOD = 2.0, 6.0
_LEGEND_X, _LEGEND_Y, _LEGEND_STEP = 902, 79, 34


@dataclass(frozen=True)
class Curve:
    """A line through points, in their order.

    Args:
        x: one finite number a point.
        y: as many.
        color: as ``#rrggbb``.
        label: its name in the legend; without one it is not there.
        width: in pixels.
        style: a line, one whose points are marked, or dotted steps, each beginning at its point.
    """

    x: Sequence[float]
    y: Sequence[float]
    color: str
    label: str = ""
    width: float = 3.5
    style: Style = "line"


@dataclass(frozen=True)
class Axis:
    """An upright axis, and the curves whose values it has."""

    label: str
    curves: Sequence[Curve] = ()
    is_log: bool = False
    color: str = _BLACK

    def scale(self) -> Scale:
        """One that has room for all curves."""
        values = [value for each in self.curves for value in each.y]
        return Scale.around(values, is_log=self.is_log)


def chart_png(title: str, x_label: str, left: Axis, right: Axis) -> bytes:
    """A picture of 1280 x 768 pixels. The curves of the right axis are behind those of the left."""
    across = Scale.around([x for each in (*left.curves, *right.curves) for x in each.x])
    picture = _Picture()
    _mark_left(picture, left.scale())
    _mark_below(picture, across)
    if right.curves:
        _mark_right(picture, right)
    for axis in (right, left):
        for each in axis.curves:
            picture.curve(each, _points(each, across, axis.scale()))
    frame = [(_LEFT, _TOP), (_LEFT, _BOTTOM), (_RIGHT, _BOTTOM), (_RIGHT, _TOP)]
    picture.line(frame, _BLACK, 2)
    _legend(picture, [each for each in (*left.curves, *right.curves) if each.label])
    picture.text((_LEFT, _TOP - 9), title, "ls", size=_TITLE, is_bold=True)
    picture.text(((_LEFT + _RIGHT) / 2, 738), x_label, "mm")
    picture.text((37, _MIDDLE), left.label, "mm", left.color, is_upright=True)
    picture.text((1256, _MIDDLE), right.label, "mm", right.color, is_upright=True)
    return picture.png()


class _Picture:
    """Shapes are drawn larger and reduced, which smooths their edges; texts are written last."""

    def __init__(self) -> None:
        from PIL import Image, ImageDraw

        self._image = Image.new("RGB", (_LARGER * _WIDTH, _LARGER * _HEIGHT), "white")
        self._draw = ImageDraw.Draw(self._image)
        self._texts: list[_Text] = []

    def line(self, points: Sequence[Point], color: str, width: float) -> None:
        large = [(_LARGER * x, _LARGER * y) for x, y in points]
        self._draw.line(large, color, round(_LARGER * width), "curve" if len(large) > 2 else None)

    def disk(self, x: float, y: float, radius: float, color: str) -> None:
        corners = (x - radius, y - radius, x + radius, y + radius)
        self._draw.ellipse([_LARGER * each for each in corners], color)

    def clear(self, left: float, top: float, right: float, bottom: float) -> None:
        self._draw.rectangle([_LARGER * each for each in (left, top, right, bottom)], "white")

    def curve(self, curve: Curve, points: Sequence[Point]) -> None:
        if curve.style == "steps":
            for dot in _dots(_steps(points)):
                self.line(dot, curve.color, curve.width)
            return
        self.line(points, curve.color, curve.width)
        if curve.style == "marks":
            for x, y in points:
                self.disk(x, y, _MARK, curve.color)

    def text(
        self,
        at: Point,
        text: str,
        anchor: str,
        color: str = _BLACK,
        *,
        size: int = _NORMAL,
        is_bold: bool = False,
        is_upright: bool = False,
    ) -> None:
        self._texts.append(_Text(at, text, anchor, color, _font(size, is_bold), is_upright))

    def png(self) -> bytes:
        from PIL import Image, ImageDraw

        small = self._image.reduce(_LARGER)
        draw = ImageDraw.Draw(small)
        for each in self._texts:
            if not each.is_upright:
                draw.text(each.at, each.text, each.color, each.font, each.anchor)
                continue
            mask = Image.new("L", (_BOTTOM - _TOP, 2 * _NORMAL))
            middle = (mask.width / 2, mask.height / 2)
            ImageDraw.Draw(mask).text(middle, each.text, 255, each.font, each.anchor)
            mask = mask.transpose(Image.Transpose.ROTATE_90)
            x, y = each.at
            small.paste(each.color, (int(x - mask.width / 2), int(y - mask.height / 2)), mask)
        buffer = BytesIO()
        small.save(buffer, "PNG")
        return buffer.getvalue()


@dataclass(frozen=True)
class _Text:
    at: Point
    text: str
    anchor: str
    color: str
    font: FreeTypeFont | ImageFont
    is_upright: bool


@cache
def _font(size: int, is_bold: bool) -> FreeTypeFont | ImageFont:
    """The font of matplotlib's pictures, which is found without importing matplotlib."""
    from PIL import ImageFont

    found = find_spec("matplotlib")
    name = "DejaVuSans-Bold.ttf" if is_bold else "DejaVuSans.ttf"
    if found and found.origin:
        path = Path(found.origin).parent / "mpl-data" / "fonts" / "ttf" / name
        if path.exists():
            return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)
    return ImageFont.load_default(size)


def _points(curve: Curve, across: Scale, up: Scale) -> list[Point]:
    shares = zip(map(across.share, curve.x), map(up.share, curve.y), strict=True)
    return [(_x(x), _y(y)) for x, y in shares]


def _x(share: float) -> float:
    return _LEFT + share * (_RIGHT - _LEFT)


def _y(share: float) -> float:
    return _BOTTOM - share * (_BOTTOM - _TOP)


def _mark_left(picture: _Picture, scale: Scale) -> None:
    for value in scale.between():
        y = _y(scale.share(value))
        picture.line([(_LEFT - 4, y), (_LEFT, y)], _BLACK, 1)
    for value, text in scale.ticks():
        y = _y(scale.share(value))
        picture.line([(_LEFT, y), (_RIGHT, y)], _GRID, 1.5)
        picture.line([(_LEFT - 8, y), (_LEFT, y)], _BLACK, 2)
        picture.text((_LEFT - 16, y), text, "rm")


def _mark_right(picture: _Picture, axis: Axis) -> None:
    scale = axis.scale()
    for value, text in scale.ticks():
        picture.text((_RIGHT + 8, _y(scale.share(value))), text, "lm", axis.color, size=_SMALL)


def _mark_below(picture: _Picture, scale: Scale) -> None:
    for value, text in scale.ticks():
        x = _x(scale.share(value))
        picture.line([(x, _TOP), (x, _BOTTOM)], _GRID, 1.5)
        picture.line([(x, _BOTTOM), (x, _BOTTOM + 8)], _BLACK, 2)
        picture.text((x, _BOTTOM + 24), text, "mm")


def _legend(picture: _Picture, curves: Sequence[Curve]) -> None:
    bottom = _LEGEND_Y + _LEGEND_STEP * len(curves) - 12
    picture.clear(_LEGEND_X - 8, _LEGEND_Y - 22, _RIGHT - 8, bottom)
    for row, curve in enumerate(curves):
        y = _LEGEND_Y + row * _LEGEND_STEP
        if curve.style == "marks":
            picture.disk(_LEGEND_X + 22, y, _MARK, curve.color)
        sample = replace(curve, style="line") if curve.style == "marks" else curve
        picture.curve(sample, [(_LEGEND_X, y), (_LEGEND_X + 45, y)])
        picture.text((_LEGEND_X + 62, y), curve.label, "lm")


def _steps(points: Sequence[Point]) -> list[Point]:
    """The corners of steps, which keep the height of a point as far as the next one."""
    corners = list(points[:1])
    for (_, before), (x, y) in pairwise(points):
        if y != before:
            corners += [(x, before), (x, y)]
    return [*corners, *points[-1:]]


def _dots(points: Sequence[Point]) -> list[tuple[Point, Point]]:
    """The pieces of a dotted line."""
    pieces = []
    place = 0.0
    for (x, y), (end_x, end_y) in pairwise(points):
        length = hypot(end_x - x, end_y - y)
        while place < length:
            first, last = place / length, min(1.0, (place + _DOT) / length)
            start = x + first * (end_x - x), y + first * (end_y - y)
            pieces.append((start, (x + last * (end_x - x), y + last * (end_y - y))))
            place += _PERIOD
        place -= length
    return pieces
