"""Resizing images as OpenCV does it for Caffe: bilinear, without smoothing."""

from __future__ import annotations

import numpy as np

_ONE = 2048
"""The weight 1 in OpenCV's fixed point: 11 bits."""


def resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """An image (channels, h, w), uint8 or float32, resized; the dtype is kept.

    Centres of pixels are at halves, the border is repeated, and an image that shrinks is not
    smoothed: OpenCV's INTER_LINEAR. For uint8 the weights are whole numbers and the sums are cut
    as in OpenCV, so that the values are its values.
    """
    if image.shape[1:] == (height, width):
        return image
    top, bottom, y = _taps(height, image.shape[1])
    left, right, x = _taps(width, image.shape[2])
    if image.dtype == np.uint8:
        return _bytes(image, (top, bottom, y), (left, right, x))
    y, x = y[:, None], x[None, :]
    rows = image[:, top] * (1 - y) + image[:, bottom] * y
    out: np.ndarray = rows[:, :, left] * (1 - x) + rows[:, :, right] * x
    return out


RESIZE_MODES = ("squash", "crop", "fill", "half-crop")
"""How an image of another aspect ratio is resized: see ``fit``."""

_GREY = 127


def fit(image: np.ndarray, height: int, width: int, how: str = "squash") -> np.ndarray:
    """A uint8 image (channels, h, w) resized by one of DIGITS' resize modes.

    - squash: each axis by itself, so that shapes are distorted.
    - crop: until the image covers the size; the rest is cropped, evenly on both sides.
    - fill: until the image fits in; the rest is filled with middle grey (DIGITS: noise).
    - half-crop: the mean of the two, cut on one axis and filled on the other.
    """
    if how == "squash":
        return resize(image, height, width)
    size = _scaled(image.shape[1], image.shape[2], (height, width), how)
    scaled = resize(image, *size)
    out = np.full((image.shape[0], height, width), _GREY, image.dtype)
    spans = [_span(have, want) for have, want in zip(size, (height, width), strict=True)]
    (from_rows, to_rows), (from_columns, to_columns) = spans
    out[:, to_rows, to_columns] = scaled[:, from_rows, from_columns]
    return out


def fit_labels(
    labels: np.ndarray, height: int, width: int, how: str = "squash", rest: int = 0
) -> np.ndarray:
    """The classes of pixels (h, w) resized with their image by ``fit``: each pixel has the class
    of the one that its centre lies in. What is filled has the class ``rest``.
    """
    if how == "squash":
        return _nearest(labels, height, width)
    size = _scaled(labels.shape[0], labels.shape[1], (height, width), how)
    scaled = _nearest(labels, *size)
    out = np.full((height, width), rest, labels.dtype)
    (from_rows, to_rows), (from_columns, to_columns) = (
        _span(have, want) for have, want in zip(size, (height, width), strict=True)
    )
    out[to_rows, to_columns] = scaled[from_rows, from_columns]
    return out


def _nearest(plane: np.ndarray, height: int, width: int) -> np.ndarray:
    """Unlike OpenCV's INTER_NEAREST, which is shifted against INTER_LINEAR by up to a pixel."""
    rows, columns = (
        ((np.arange(size) + 0.5) * source / size).astype(np.int64)
        for size, source in zip((height, width), plane.shape, strict=True)
    )
    taken: np.ndarray = plane[rows[:, None], columns]
    return taken


def fitted_window(size: tuple[int, int], wanted: tuple[int, int], how: str) -> np.ndarray:
    """What ``fit`` shows of an image of ``size`` (height, width): xmin, ymin, xmax, ymax in
    fractions of the image, float32 (4,); below 0 or above 1 where it is filled.
    """
    if how == "squash":
        return np.array([0, 0, 1, 1], np.float32)
    edges = np.empty((2, 2))
    for axis, (have, want) in enumerate(zip(_scaled(*size, wanted, how), wanted, strict=True)):
        taken, put = _span(have, want)
        begin = taken.start - put.start
        edges[:, 1 - axis] = begin / have, (begin + want) / have
    return edges.reshape(4).astype(np.float32)


def _scaled(rows: int, columns: int, wanted: tuple[int, int], how: str) -> tuple[int, int]:
    """The size of an image before it is cropped or filled to ``wanted``."""
    down, across = wanted[0] / rows, wanted[1] / columns
    scale = {"crop": max(down, across), "fill": min(down, across)}.get(how, (down + across) / 2)
    return max(1, round(rows * scale)), max(1, round(columns * scale))


def _span(have: int, want: int) -> tuple[slice, slice]:
    """What is taken of an axis of ``have``, and where it goes on one of ``want``: the middles."""
    both = min(have, want)
    take, put = (have - both) // 2, (want - both) // 2
    return slice(take, take + both), slice(put, put + both)


def _bytes(
    image: np.ndarray,
    rows: tuple[np.ndarray, np.ndarray, np.ndarray],
    columns: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> np.ndarray:
    """Across first and then down, as OpenCV: the order decides what is cut off."""
    left, right, x = columns
    near, far = _whole(1 - x), _whole(x)
    edge = left == right
    near[edge], far[edge] = _ONE, 0
    wide: np.ndarray = image[:, :, left] * near + image[:, :, right] * far
    top, bottom, y = rows
    near, far = _whole(1 - y)[:, None], _whole(y)[:, None]
    wide = wide >> 4
    out = ((wide[:, top] * near) >> 16) + ((wide[:, bottom] * far) >> 16)
    pixels: np.ndarray = ((out + 2) >> 2).astype(np.uint8)
    return pixels


def to_bytes(values: np.ndarray) -> np.ndarray:
    """Numbers as uint8: rounded half to even, clipped to 0 to 255."""
    pixels: np.ndarray = np.rint(values).clip(0, 255).astype(np.uint8)
    return pixels


def _whole(weights: np.ndarray) -> np.ndarray:
    """Weights in OpenCV's fixed point, rounded half to even."""
    whole: np.ndarray = np.rint(weights * np.float32(_ONE)).astype(np.int32)
    return whole


def _taps(size: int, source: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each of ``size`` pixels its two neighbours among ``source``, and the second's weight."""
    # OpenCV computes the place in float64 and keeps it in float32.
    place = ((np.arange(size) + 0.5) * (1 / (size / source)) - 0.5).astype(np.float32)
    first = np.floor(place).astype(np.int64)
    weight = place - first.astype(np.float32)
    return first.clip(0, source - 1), (first + 1).clip(0, source - 1), weight
