"""Resizing images by OpenCV's five interpolations, which the forks' ``transform_param`` names."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

import numpy as np

from protonet.data.resize import resize, to_bytes

_ONE = 2048
"""The weight 1 in OpenCV's fixed point: 11 bits on each axis."""
_SHARP = -0.75
"""OpenCV's constant of the cubic."""


class Interpolation(Enum):
    """How a pixel of the new size is made from those of the old one."""

    NEAREST = "nearest"
    LINEAR = "linear"
    AREA = "area"
    CUBIC = "cubic"
    LANCZOS4 = "lanczos4"


def resample(image: np.ndarray, height: int, width: int, how: Interpolation) -> np.ndarray:
    """An image (channels, h, w), uint8 or float32, resized; the dtype is kept.

    The values are OpenCV's; of CUBIC and LANCZOS4 for uint8 to within 1, since its sums are
    rounded otherwise on some processors.
    """
    if image.shape[1:] == (height, width):
        return image
    if how is Interpolation.LINEAR:
        return resize(image, height, width)
    if how is Interpolation.NEAREST:
        rows, columns = _nearest(height, image.shape[1]), _nearest(width, image.shape[2])
        return np.ascontiguousarray(image[:, rows][:, :, columns])
    if how is Interpolation.AREA:
        return _area(image, height, width)
    kernel = _cubic if how is Interpolation.CUBIC else _lanczos
    taps = 2 if how is Interpolation.CUBIC else 4
    return _taps(image, height, width, kernel, taps)


def _nearest(size: int, source: int) -> np.ndarray:
    scale = 1 / (size / source)
    rows: np.ndarray = np.floor(np.arange(size) * scale).astype(np.int64).clip(0, source - 1)
    return rows


def _area(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """The mean of what a pixel of the new size covers; where an axis grows, its two neighbours."""
    rows, columns = image.shape[1:]
    if rows >= height and columns >= width:
        if image.dtype == np.uint8 and (rows, columns) == (2 * height, 2 * width):
            wide = image.astype(np.uint16)
            sums = wide[:, ::2] + wide[:, 1::2]
            halves: np.ndarray = ((sums[:, :, ::2] + sums[:, :, 1::2] + 2) >> 2).astype(np.uint8)
            return halves
        down, across = _covered(height, rows), _covered(width, columns)
    else:
        down, across = _grown(height, rows), _grown(width, columns)
    values = down @ image.astype(np.float32) @ across.T
    return _typed(values, image.dtype)


def _covered(size: int, source: int) -> np.ndarray:
    """The share of each of ``source`` pixels in each of ``size``: rows that sum to 1."""
    scale = source / size
    edges = np.arange(size)[:, None] * scale
    left = np.arange(source)[None, :]
    shares = np.minimum(edges + scale, left + 1) - np.maximum(edges, left)
    shares = np.maximum(shares, 0)
    weights: np.ndarray = (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)
    return weights


def _grown(size: int, source: int) -> np.ndarray:
    """OpenCV's AREA where the image does not shrink on both axes: most pixels are copies."""
    scale, places = source / size, np.arange(size)
    first = np.floor(places * scale).astype(np.int64)
    part = (places + 1) - (first + 1) * (size / source)
    part = np.where(part <= 0, 0, part - np.floor(part))
    weights = np.zeros((size, source), np.float32)
    np.add.at(weights, (places, first.clip(0, source - 1)), 1 - part)
    np.add.at(weights, (places, (first + 1).clip(0, source - 1)), part)
    return weights


def _cubic(t: np.ndarray) -> np.ndarray:
    """The cubic convolution kernel at distance ``t`` of at most 2."""
    a = np.abs(t)
    near = ((_SHARP + 2) * a - (_SHARP + 3)) * a * a + 1
    far = _SHARP * (((a - 5) * a + 8) * a - 4)
    weights: np.ndarray = np.where(a <= 1, near, far)
    return weights


def _lanczos(t: np.ndarray) -> np.ndarray:
    """sinc(t) sinc(t / 4)."""
    weights: np.ndarray = np.sinc(t) * np.sinc(t / 4)
    return weights


def _taps(
    image: np.ndarray,
    height: int,
    width: int,
    kernel: Callable[[np.ndarray], np.ndarray],
    half: int,
) -> np.ndarray:
    """Across and then down, each pixel from ``2 half`` neighbours; the border is repeated."""
    whole = image.dtype == np.uint8
    near, across = _weights(width, image.shape[2], kernel, half, whole)
    wide = np.zeros((*image.shape[:2], width), np.int64 if whole else np.float32)
    for tap in range(2 * half):
        wide += image[:, :, near[tap]] * across[tap]
    near, down = _weights(height, image.shape[1], kernel, half, whole)
    tall = np.zeros((image.shape[0], height, width), wide.dtype)
    for tap in range(2 * half):
        tall += wide[:, near[tap]] * down[tap][:, None]
    if not whole:
        return tall
    return to_bytes((tall + _ONE * _ONE // 2) // (_ONE * _ONE))


def _weights(
    size: int,
    source: int,
    kernel: Callable[[np.ndarray], np.ndarray],
    half: int,
    whole: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Which pixels each of ``size`` is made of, and their weights: both (taps, size)."""
    place = ((np.arange(size) + 0.5) * (1 / (size / source)) - 0.5).astype(np.float32)
    first = np.floor(place)
    offsets = np.arange(1 - half, half + 1)[:, None]
    weights = kernel((place - first)[None, :].astype(np.float64) - offsets)
    weights = (weights / weights.sum(axis=0)).astype(np.float32)
    near = (first.astype(np.int64)[None, :] + offsets).clip(0, source - 1)
    if whole:
        return near, np.rint(weights * np.float32(_ONE)).astype(np.int64)
    return near, weights


def _typed(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Float32 as the type of the image."""
    if dtype == np.uint8:
        return to_bytes(values)
    typed: np.ndarray = values.astype(dtype, copy=False)
    return typed
