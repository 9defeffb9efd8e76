"""How images with boxes are cut: scaled and placed at random in a fixed size.

Source: zhaoweicai/mscnn, image_gt_data_layer.cpp; zhaoweicai/cascade-rcnn,
detection_data_layer.cpp.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from protonet.data.box_list import Scene
from protonet.data.image_rng import ImageRNG
from protonet.data.resize import resize

_NOISE = 20
"""The pixels that a random place varies in."""
_STEEP = 1.5
"""Images that are scaled by more are cut before."""
_ROOM = 1.2
"""How much more than the size is kept then."""
_ASPECT_STEP = 0.05


class Zoom(Protocol):
    """Draws the factors, across and down, that an image is scaled by."""

    def draw(self, box: np.ndarray | None, rng: ImageRNG) -> tuple[float, float]:
        """For the corners of the object in the middle; None: there is none."""


@dataclass(frozen=True)
class OctaveZoom:
    """MS-CNN: every other time, the object becomes a scale of ``low`` to ``high`` in half octaves.

    Then every other time its width over height becomes one of ``aspects``, from the first to
    below the second in steps of 0.05, by its width or its height, if that stays within 0.8
    ``low`` to 1.2 ``high``.
    """

    low: float
    high: float
    aspects: tuple[float, float] | None = None

    def draw(self, box: np.ndarray | None, rng: ImageRNG) -> tuple[float, float]:
        """For the corners of the object in the middle; None: there is none."""
        if box is None or not rng.randrange(2):
            return 1.0, 1.0
        count = int(2 * math.log2(self.high / self.low) + 1.5)
        steps = np.arange(count) / 2
        width, height = (box[2:] - box[:2]).tolist()
        area, fields = width * height, (self.low * 2**steps) ** 2
        near = np.minimum(area, fields) / np.maximum(area, fields)
        factor = float(2 ** (steps[rng.randrange(count)] - steps[near.argmax()]))
        across = down = factor
        if self.aspects is not None and min(width, height) > 0 and rng.randrange(2):
            low, high = self.aspects
            places = max(1, int((high - low) / _ASPECT_STEP + 0.5))
            ratio = rng.randrange(places) * _ASPECT_STEP + low
            ratio /= width / height
            if rng.randrange(2):
                across *= ratio if self._fits(width * across * ratio) else 1.0
            else:
                down /= ratio if self._fits(height * down / ratio) else 1.0
        return across, down

    def _fits(self, extent: float) -> bool:
        return self.low * 0.8 <= extent <= self.high * 1.2


@dataclass(frozen=True)
class FreeZoom:
    """Cascade R-CNN: with ``probability`` a factor of ``low`` to ``high``, uniform in octaves.

    For ``scales`` these are the scale, sqrt(width height), of the object in the middle. Then
    width over height changes by a factor of ``aspects``.
    """

    low: float
    high: float
    probability: float = 0.5
    scales: bool = False
    aspects: tuple[float, float] | None = None

    def draw(self, box: np.ndarray | None, rng: ImageRNG) -> tuple[float, float]:
        """For the corners of the object in the middle; None: there is none."""
        if not rng.bernoulli(self.probability) or (self.scales and box is None):
            return 1.0, 1.0
        scale = 1.0
        if box is not None and self.scales:
            scale = math.sqrt(float((box[2:] - box[:2] + 1).prod()))
        factor = _log_uniform((self.low / scale, self.high / scale), rng)
        side = 1.0 if self.aspects is None else math.sqrt(_log_uniform(self.aspects, rng))
        return factor * side, factor / side


def _log_uniform(ends: tuple[float, float], rng: ImageRNG) -> float:
    """A number between ``ends``, uniform in octaves."""
    return float(2 ** rng.uniform(math.log2(ends[0]), math.log2(ends[1])))


class Placed(NamedTuple):
    """A part of an image, and where it is in the size that was asked for."""

    pixels: np.ndarray
    left: int
    top: int
    scene: Scene


def place_image(
    image: np.ndarray, scene: Scene, size: tuple[int, int], zoom: Zoom | None, rng: ImageRNG
) -> Placed:
    """The image scaled and cut to at most ``size``, (height, width), around a random object.

    Where it is smaller, it is placed near the middle; where it is larger, the object is in
    the middle, each by up to 10 pixels.
    """
    height, width = image.shape[1:]
    box = None
    if len(scene.corners):
        box = scene.corners[rng.randrange(len(scene.corners))]
        centre = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    else:
        centre = (_anywhere(width, size[1], rng), _anywhere(height, size[0], rng))
    factors = (1.0, 1.0) if zoom is None else zoom.draw(box, rng)
    if factors != (1.0, 1.0):
        if max(factors) > _STEEP:
            image, corner = _cut(image, centre, factors)
            centre = (centre[0] - corner[0], centre[1] - corner[1])
            scene = scene.moved((1.0, 1.0), (-corner[0], -corner[1]))
        extents = [
            max(1, int(extent * factor + 0.5))
            for extent, factor in zip(image.shape[1:], factors[::-1], strict=True)
        ]
        image, scene = resize(image, *extents), scene.moved(factors, (0.0, 0.0))
    spans = [
        _span(image.shape[2 - axis], size[1 - axis], centre[axis] * factors[axis], rng)
        for axis in range(2)
    ]
    (left, column, wide), (top, row, high) = spans
    part = image[:, row : row + high, column : column + wide]
    return Placed(part, left, top, scene.moved((1.0, 1.0), (left - column, top - row)))


def _anywhere(have: int, want: int, rng: ImageRNG) -> float:
    """A centre of ``want`` within ``have``; the middle where that is smaller."""
    return have / 2 if have < want else rng.randrange(have - want + 1) + want / 2


def _cut(
    image: np.ndarray, centre: tuple[float, float], factors: tuple[float, float]
) -> tuple[np.ndarray, tuple[int, int]]:
    """A part around the centre that has room for the size after scaling; and its corner."""
    corner, extents = [], []
    for axis in range(2):
        have = image.shape[2 - axis]
        keep = max(1, min(have, int(_ROOM * have / factors[axis] + 0.5)))
        start = math.floor(centre[axis] - keep / 2 + 0.5)
        corner.append(min(max(start, 0), have - keep))
        extents.append(keep)
    part = image[:, corner[1] : corner[1] + extents[1], corner[0] : corner[0] + extents[0]]
    return part, (corner[0], corner[1])


def _span(have: int, want: int, centre: float, rng: ImageRNG) -> tuple[int, int, int]:
    """On one axis: where the part is placed, where it is taken from, and its extent."""
    noise = rng.randrange(_NOISE) - _NOISE // 2
    if have < want:
        start = math.floor((want - have) / 2 + 0.5) + noise
        return min(max(start, 0), want - have), 0, have
    start = math.floor(centre + 0.5) + noise - math.floor(want / 2 + 0.5)
    return 0, min(max(start, 0), have - want), want
