"""The sizes of images with boxes, as their layers' settings tell them."""

from __future__ import annotations

import math
from typing import Any

from protonet.data.box_source import Size
from protonet.errors import LayerError
from protonet.layers.base import Layer

_CELL = 32
"""Sizes that follow from an image are multiples of this."""


def numbers_given(
    layer: Layer, field: str, names: tuple[str, str]
) -> tuple[float, float] | None:  # fmt: skip
    """Two settings that go together, each above 0, the first not above the second; or None.

    Raises:
        LayerError: for one without the other, or other numbers.
    """
    param = getattr(layer.spec, field)
    given = [name for name in names if param.HasField(name)]
    if not given:
        return None
    low, high = (float(getattr(param, name)) for name in names)
    if len(given) < 2 or not 0 < low <= high < math.inf:
        raise LayerError(
            f"expected 0 < {names[0]} <= {names[1]}, got "
            + " and ".join(f"{getattr(param, name):g}" for name in given),
            (field, given[0]),
        )
    return low, high


class BoxSizes:
    """What images are resized to and cut to.

    Attributes:
        fixed: resize_height and resize_width; None without them.

    Args:
        layer: has the message ``field``.
        limited: no side may become longer than long_size.

    Raises:
        LayerError: for one of two settings that go together, or ways that exclude each other.
    """

    def __init__(self, layer: Layer, field: str, *, limited: bool = False) -> None:
        self._layer, self._field, self._limited = layer, field, limited
        self._param: Any = getattr(layer.spec, field)
        self.fixed = self._pair("resize_height", "resize_width")
        self._sides = self._pair("short_size", "long_size", ordered=True)
        self._crop = self._pair("crop_height", "crop_width", zero=True)
        self._crop_sides = self._pair("crop_short_size", "crop_long_size", ordered=True)
        self._ratio = self._number("resize_ratio")
        self._refuse_both(
            [
                ("resize_width", self.fixed),
                ("resize_ratio", self._ratio),
                ("short_size", self._sides),
            ]
        )
        self._refuse_both([("crop_width", self._crop), ("crop_short_size", self._crop_sides)])
        self._ratios = [float(each) for each in getattr(self._param, "template_ratio", ())] or [1.0]
        if min(self._ratios) <= 0:
            raise LayerError(
                f"expected each template_ratio above 0, got {min(self._ratios):g}",
                (field, "template_ratio"),
            )
        self._check_crop()

    def resized(self, size: Size, number: int) -> Size:
        """What an image of this size becomes; ``number`` is the batch's random one."""
        if self.fixed is not None:
            return self.fixed
        if self._ratio is not None:
            return _scaled(size, self._ratio)
        if self._sides is None:
            return size
        short = self._sides[0]
        if not self._limited:
            short = _cells(short * self._template(number))
        height, width = _scaled(size, short / min(size))
        if self._limited:
            return min(height, self._sides[1]), min(width, self._sides[1])
        return height, width

    def whole_cells(self, size: Size, number: int) -> Size:
        """The same in the nearest multiples of 32."""
        height, width = self.resized(size, number)
        return _cells(height), _cells(width)

    def canvas(self, first: Size, number: int) -> Size:
        """The size of a batch whose first image was resized to ``first``."""
        if self._crop is not None:
            whole = self.fixed or first
            return self._crop[0] or whole[0], self._crop[1] or whole[1]
        if self.fixed is not None:
            return self.fixed
        tall = first[0] >= first[1]
        if self._crop_sides is not None:
            return self._crop_sides[::-1] if tall else self._crop_sides
        if self._sides is not None:
            short, long = (_cells(side * self._template(number)) for side in self._sides)
            return (long, short) if tall else (short, long)
        return first

    def _template(self, number: int) -> float:
        return self._ratios[number % len(self._ratios)]

    def _check_crop(self) -> None:
        if self.fixed is None or self._crop is None:
            return
        for name, cut, have in zip(
            ("height", "width"), self._crop, self.fixed, strict=True
        ):  # fmt: skip
            if cut > have and self._field == "image_gt_data_param":
                raise LayerError(
                    f"expected crop_{name} of at most resize_{name} {have}, got {cut}",
                    (self._field, f"crop_{name}"),
                )

    def _has(self, name: str) -> bool:
        return name in self._param.DESCRIPTOR.fields_by_name and self._param.HasField(name)

    def _number(self, name: str) -> float | None:
        if not self._has(name):
            return None
        value = float(getattr(self._param, name))
        if not 0 < value < math.inf:
            raise LayerError(f"expected {name} above 0, got {value:g}", (self._field, name))
        return value

    def _pair(
        self, first: str, second: str, *, ordered: bool = False, zero: bool = False
    ) -> Size | None:
        given = [name for name in (first, second) if self._has(name)]
        if not given:
            return None
        values = tuple(int(getattr(self._param, name)) for name in given)
        fits = len(given) == 2 and (zero or min(values) > 0)
        if not fits or (ordered and values[0] > values[1]):
            raise LayerError(
                f"expected {first} and {second}, "
                + ("the first not above the second" if ordered else "both above 0")
                + f", got {' and '.join(map(str, values))}",
                (self._field, given[0]),
            )
        return values[0], values[1]

    def _refuse_both(self, ways: list[tuple[str, Any]]) -> None:
        given = [name for name, value in ways if value is not None]
        if len(given) > 1:
            raise LayerError(
                f"{given[0]} and {given[1]} are both given; give one of them",
                (self._field, given[1]),
            )


def _scaled(size: Size, factor: float) -> Size:
    return max(1, int(size[0] * factor + 0.5)), max(1, int(size[1] * factor + 0.5))


def _cells(extent: float) -> int:
    return max(1, int(extent / _CELL + 0.5)) * _CELL
