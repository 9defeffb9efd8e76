"""Cropping and warping windows of images as R-CNN does."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from protonet.data.resize import resize

Box = tuple[int, int, int, int]
"""x1, y1, x2, y2: columns and rows of the first and the last pixel."""


class CropRegion(NamedTuple):
    """Where a window lies: ``rows`` and ``columns`` of the image are resized to ``height`` and
    ``width`` and put at ``top`` and ``left`` of the crop (``right``: where it is mirrored).
    """

    rows: slice
    columns: slice
    height: int
    width: int
    top: int = 0
    left: int = 0
    right: int = 0


@dataclass(frozen=True)
class WindowCropper:
    """Crops and warps windows as R-CNN does.

    Attributes:
        size: side of the square result.
        context: pixels of padding on each side that show the surroundings of the window.
        square: take the smallest square around the window, instead of warping it.
    """

    size: int
    context: int = 0
    square: bool = False

    def region(self, box: Box, height: int, width: int) -> CropRegion:
        """The region of the window ``box`` in an image of this size, and in the crop.

        Raises:
            ValueError: says how the window lies outside the image.
        """
        x1, y1, x2, y2 = box
        if not self.context and not self.square:
            if min(x1, y1) < 0 or x2 >= width or y2 >= height:
                raise ValueError(f"reaches out of the image, which is {height}x{width}")
            rows, columns = slice(y1, y2 + 1), slice(x1, x2 + 1)
            return CropRegion(rows, columns, self.size, self.size)
        half_x, half_y = np.float32((x2 - x1 + 1) / 2), np.float32((y2 - y1 + 1) / 2)
        centre_x, centre_y = np.float32(x1) + half_x, np.float32(y1) + half_y
        if self.square:
            half_x = half_y = max(half_x, half_y)
        grow = np.float32(self.size) / np.float32(self.size - 2 * self.context)
        across = _clip(centre_x - half_x * grow, centre_x + half_x * grow, width, self.size)
        down = _clip(centre_y - half_y * grow, centre_y + half_y * grow, height, self.size)
        if across is None or down is None:
            raise ValueError(f"lies outside the image, which is {height}x{width}")
        columns, shown_x, left, right = across
        rows, shown_y, top, _ = down
        return CropRegion(rows, columns, shown_y, shown_x, top, left, right)

    def apply(
        self,
        image: np.ndarray,
        box: Box,
        mirror: bool,
        mean: np.ndarray | None,
        scale: float,
        out: np.ndarray,
    ) -> None:
        """Write a window of an image, (channels, h, w), to ``out``, (channels, size, size).

        ``mean`` is (channels, size, size) or (channels, 1, 1). What lies outside the image is 0.

        Raises:
            ValueError: as ``region``.
        """
        place = self.region(box, image.shape[1], image.shape[2])
        left = place.right if mirror else place.left
        # Rounding may exceed the space that is left.
        height, width = min(place.height, self.size - place.top), min(place.width, self.size - left)
        out.fill(0)
        if height < 1 or width < 1:
            return
        pixels = resize(image[:, place.rows, place.columns], height, width)
        if mirror:
            pixels = pixels[:, :, ::-1]
        rows, columns = slice(place.top, place.top + height), slice(left, left + width)
        target = out[:, rows, columns]
        target[...] = pixels
        if mean is not None:
            target -= mean if mean.shape[1:] == (1, 1) else mean[:, rows, columns]
        if scale != 1:
            target *= np.float32(scale)


def _clip(
    first: np.float32, last: np.float32, extent: int, size: int
) -> tuple[slice, int, int, int] | None:
    """One axis of a window that may reach out of the image.

    The part that is inside, how many pixels of ``size`` show it, and how many lie before and
    behind it; None where none is inside.
    """
    start, stop = _round(first), _round(last)
    before, behind = max(0, -start), max(0, stop - extent + 1)
    whole = stop - start + 1
    inside = slice(start + before, stop - behind + 1)
    if inside.stop <= inside.start:
        return None
    scale = np.float32(size) / np.float32(whole)
    shown = np.float32(inside.stop - inside.start) * scale
    return (
        inside,
        _round(shown),
        _round(np.float32(before) * scale),
        _round(np.float32(behind) * scale),
    )


def _round(value: np.float32) -> int:
    """Round half away from zero, as in C."""
    return int(math.copysign(math.floor(abs(float(value)) + 0.5), float(value)))
