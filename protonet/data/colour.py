"""Colours of images of bytes as OpenCV computes them, and what a ``distort_param`` does to them."""

from __future__ import annotations

import numpy as np

from protonet.data.image_rng import ImageRNG
from protonet.data.resize import to_bytes
from protonet.proto.caffe_pb2 import DistortionParameter

_BITS = 12
"""Bits behind the point of OpenCV's tables for hue and saturation."""
_HUES = 180
"""A hue counts two degrees, so that it fits a byte."""


def gray(image: np.ndarray) -> np.ndarray:
    """BGR bytes (3, h, w) as gray (1, h, w): 0.114 B + 0.587 G + 0.299 R in whole numbers."""
    blue, green, red = image.astype(np.int32)
    mixed: np.ndarray = (blue * 1868 + green * 9617 + red * 4899 + 2**13) >> 14
    return mixed.astype(np.uint8)[None]


def to_hsv(image: np.ndarray) -> np.ndarray:
    """BGR bytes (3, h, w) as hue (0 to 179, two degrees each), saturation and value."""
    blue, green, red = image.astype(np.int64)
    value = image.max(axis=0).astype(np.int64)
    spread = value - image.min(axis=0)
    divisors = np.maximum(np.arange(256), 1)
    of_value = np.rint((255 << _BITS) / divisors).astype(np.int64)
    of_spread = np.rint((_HUES << _BITS) / (6.0 * divisors)).astype(np.int64)
    half = 1 << (_BITS - 1)
    saturation = (spread * of_value[value] + half) >> _BITS
    hue = np.where(
        value == red,
        green - blue,
        np.where(value == green, blue - red + 2 * spread, red - green + 4 * spread),
    )
    hue = (hue * of_spread[spread] + half) >> _BITS
    hue += np.where(hue < 0, _HUES, 0)
    return np.stack([hue, saturation, value]).clip(0, 255).astype(np.uint8)


def from_hsv(image: np.ndarray) -> np.ndarray:
    """Hue, saturation and value as bytes (3, h, w) back as BGR."""
    hue = image[0].astype(np.float32) * np.float32(6 / _HUES)
    saturation, value = image[1:].astype(np.float32) / np.float32(255)
    planes = sectors(hue % 6, saturation, value)
    return to_bytes(planes * np.float32(255))


def sectors(hue: np.ndarray, saturation: np.ndarray, value: np.ndarray) -> np.ndarray:
    """BGR of a hue from 0 to 6, saturation and value: the six sides of the hexagon."""
    side = np.floor(hue).astype(np.int64) % 6
    part = hue - np.floor(hue)
    low = value * (1 - saturation)
    falling = value * (1 - saturation * part)
    rising = value * (1 - saturation * (1 - part))
    table = np.stack([value, low, falling, rising])
    # Which of the four the blue, the green and the red are on each side.
    order = np.array([[1, 3, 0], [1, 0, 2], [3, 0, 1], [0, 2, 1], [0, 1, 3], [2, 1, 0]])
    rows, columns = np.indices(side.shape)
    return np.stack([table[order[side, plane], rows, columns] for plane in range(3)])


def distort(image: np.ndarray, param: DistortionParameter, rng: ImageRNG) -> np.ndarray:
    """Brightness, contrast, saturation, hue and order of the channels, each with its probability.

    In every second image the contrast comes last instead of second (SSD fork, im_transforms.cpp).
    """
    early = rng.bernoulli(0.5)
    image = _brightness(image, param, rng)
    if early:
        image = _contrast(image, param, rng)
    image = _saturation(image, param, rng)
    image = _hue(image, param, rng)
    if not early:
        image = _contrast(image, param, rng)
    if rng.bernoulli(param.random_order_prob):
        places = [0, 1, 2]
        order = [places.pop(rng.randrange(len(places))) for _ in range(3)]
        image = image[order]
    return image


def _brightness(image: np.ndarray, param: DistortionParameter, rng: ImageRNG) -> np.ndarray:
    if not rng.bernoulli(param.brightness_prob):
        return image
    return scaled(image, 1, rng.uniform(-param.brightness_delta, param.brightness_delta))


def _contrast(image: np.ndarray, param: DistortionParameter, rng: ImageRNG) -> np.ndarray:
    if not rng.bernoulli(param.contrast_prob):
        return image
    return scaled(image, rng.uniform(param.contrast_lower, param.contrast_upper), 0)


def _saturation(image: np.ndarray, param: DistortionParameter, rng: ImageRNG) -> np.ndarray:
    if not rng.bernoulli(param.saturation_prob):
        return image
    factor = rng.uniform(param.saturation_lower, param.saturation_upper)
    planes = to_hsv(image)
    planes[1] = scaled(planes[1], factor, 0)
    return from_hsv(planes)


def _hue(image: np.ndarray, param: DistortionParameter, rng: ImageRNG) -> np.ndarray:
    if not rng.bernoulli(param.hue_prob):
        return image
    planes = to_hsv(image)
    # As in OpenCV a hue below 0 becomes 0; one above 179 goes round when it is turned back.
    planes[0] = scaled(planes[0], 1, rng.uniform(-param.hue_delta, param.hue_delta))
    return from_hsv(planes)


def scaled(image: np.ndarray, factor: float, shift: float) -> np.ndarray:
    """Bytes times a factor plus a shift, rounded and held to 0 to 255."""
    values = image.astype(np.float32) * np.float32(factor) + np.float32(shift)
    return to_bytes(values)
