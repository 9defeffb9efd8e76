"""``noise_param`` of the SSD fork for uint8 images, in the fork's order."""

from __future__ import annotations

import numpy as np

from protonet.data.colour import gray, to_hsv
from protonet.data.datum import decode_image
from protonet.data.image_rng import ImageRNG
from protonet.data.resize import to_bytes
from protonet.errors import DataError, LayerError
from protonet.proto.caffe_pb2 import NoiseParameter

_STEP = 64
"""Width of the levels of ``posterize``."""
_BLUR, _SIGMA = 7, 1.5
"""The side and the deviation of the fork's blur."""


def check_noise(param: NoiseParameter, channels: int) -> None:
    """Refuse what is unsupported or invalid.

    Raises:
        LayerError: naming the field.
    """
    path = ("transform_param", "noise_param")
    for field in ("clahe", "convert_to_lab"):
        if getattr(param, field):
            raise LayerError(f"{field} of noise_param is not supported", (*path, field))
    for field in ("decolorize", "convert_to_hsv"):
        if getattr(param, field) and channels != 3:
            raise LayerError(f"{field} needs images of 3 channels, got {channels}", (*path, field))
    salt = param.saltpepper_param
    if param.saltpepper and len(salt.value) not in (1, channels):
        raise LayerError(
            f"saltpepper needs 1 value or one for each of {channels} channel(s), got "
            f"{len(salt.value)}",
            (*path, "saltpepper_param"),
        )
    if param.saltpepper and not 0 <= salt.fraction <= 1:
        raise LayerError(
            f"expected a fraction from 0 to 1, got {salt.fraction:g}",
            (*path, "saltpepper_param", "fraction"),
        )


def add_noise(image: np.ndarray, param: NoiseParameter, rng: ImageRNG) -> np.ndarray:
    """A uint8 image (channels, h, w) with the noise of ``param``, with probability ``prob`` where
    that is given.

    Raises:
        DataError: where there are no bytes to work on.
    """
    if image.dtype != np.uint8:
        raise DataError(f"noise_param needs images of bytes, got {image.dtype}")
    if param.HasField("prob") and not rng.bernoulli(param.prob):
        return image
    if param.decolorize:
        image = np.repeat(gray(image), 3, axis=0)
    if param.gauss_blur:
        image = blurred(image)
    if param.hist_eq:
        image = equalized(image)
    if param.jpeg > 0:
        image = _through_jpeg(image, int(param.jpeg))
    if param.erode:
        image = eroded(image)
    if param.posterize:
        image = image // _STEP * _STEP + _STEP // 2
    if param.inverse:
        image = 255 - image
    if param.saltpepper:
        image = _salted(image, param, rng)
    return to_hsv(image) if param.convert_to_hsv else image


def blurred(image: np.ndarray) -> np.ndarray:
    """A Gaussian blur, mirrored at the border without repeating the edge."""
    reach = _BLUR // 2
    places = np.arange(-reach, reach + 1)
    weights = np.exp(-(places**2) / (2 * _SIGMA**2))
    weights /= weights.sum()
    values = image.astype(np.float64)
    for axis in (1, 2):
        span = np.arange(-reach, values.shape[axis] + reach)
        wide = np.take(values, _mirrored(span, values.shape[axis]), axis=axis)
        count = values.shape[axis]
        parts = [
            weight * np.take(wide, np.arange(shift, shift + count), axis=axis)
            for shift, weight in enumerate(weights)
        ]
        values = np.sum(parts, axis=0)
    return to_bytes(values)


def _mirrored(places: np.ndarray, count: int) -> np.ndarray:
    """Places off both ends of an axis, folded back about the first and the last pixel."""
    if count == 1:
        return np.zeros_like(places)
    around = 2 * (count - 1)
    folded: np.ndarray = np.abs((places + count - 1) % around - (count - 1))
    return folded


def equalized(image: np.ndarray) -> np.ndarray:
    """A flat histogram: of gray itself, of the luminance of colour (in Y, Cr, Cb)."""
    if image.shape[0] == 1:
        return _flat(image[0])[None]
    blue, red = image[::2].astype(np.float64)
    light = gray(image)[0].astype(np.float64)
    # Y, Cr and Cb as OpenCV defines them.
    far_red = np.rint((red - light) * 0.713 + 128).clip(0, 255) - 128
    far_blue = np.rint((blue - light) * 0.564 + 128).clip(0, 255) - 128
    light = _flat(gray(image)[0]).astype(np.float64)
    planes = np.stack(
        [
            light + 1.773 * far_blue,
            light - 0.714 * far_red - 0.344 * far_blue,
            light + 1.403 * far_red,
        ]
    )
    return to_bytes(planes)


def _flat(plane: np.ndarray) -> np.ndarray:
    """Each value becomes its share of the pixels, with the darkest one at 0."""
    counts = np.bincount(plane.ravel(), minlength=256)
    darkest = int(np.flatnonzero(counts)[0])
    rest = plane.size - int(counts[darkest])
    if not rest:
        return plane
    sums = np.cumsum(counts) - counts[darkest]
    table = to_bytes(sums * np.float32(255 / rest))
    table[:darkest] = 0
    flat: np.ndarray = table[plane]
    return flat


def eroded(image: np.ndarray) -> np.ndarray:
    """The least of each pixel and its four neighbours."""
    least = image.copy()
    least[:, 1:] = np.minimum(least[:, 1:], image[:, :-1])
    least[:, :-1] = np.minimum(least[:, :-1], image[:, 1:])
    least[:, :, 1:] = np.minimum(least[:, :, 1:], image[:, :, :-1])
    least[:, :, :-1] = np.minimum(least[:, :, :-1], image[:, :, 1:])
    return least


def _through_jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    """As a JPEG of this quality shows it; OpenCV reads gray back as colour, here it stays gray."""
    import io

    from PIL import Image

    planes = image[::-1].transpose(1, 2, 0) if image.shape[0] == 3 else image[0]
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(planes)).save(file, "JPEG", quality=min(quality, 100))
    return decode_image(file.getvalue(), "noise_param", color=image.shape[0] == 3)


def _salted(image: np.ndarray, param: NoiseParameter, rng: ImageRNG) -> np.ndarray:
    """A number of pixels, drawn with repetition, in one colour."""
    height, width = image.shape[1:]
    salt = param.saltpepper_param
    colour = np.array([int(value) for value in salt.value], np.int64).astype(np.uint8)
    image = image.copy()
    for _ in range(int(salt.fraction * width * height)):
        column, row = rng.randrange(width), rng.randrange(height)
        image[:, row, column] = colour
    return image
