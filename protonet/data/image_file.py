"""Image files in the shape that a net is asked with, and what they show of the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from protonet.data.datum import decode_image
from protonet.data.resize import fit, fitted_window
from protonet.data.transform import ImageShape
from protonet.errors import DataError


@dataclass(frozen=True)
class LoadedImage:
    """An image as uint8, (height, width) of its file, and a note on how it was resized ("" for not
    at all).
    """

    path: Path
    pixels: np.ndarray
    size: tuple[int, int] = (0, 0)
    note: str = ""


def load_image(path: Path, shape: ImageShape, order: Sequence[int] | None, how: str) -> LoadedImage:
    """The image of a file in a shape.

    Args:
        path: of the file.
        shape: channels, height and width.
        order: which channel of blue, green, red each channel is; None for as they are.
        how: the image is resized, one of ``data.resize.RESIZE_MODES``.

    Raises:
        DataError: for a file that is absent, not an image, or damaged.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    channels, height, width = shape
    pixels = decode_image(data, str(path), color=channels == 3, follows_exif=True)
    if order is not None:
        pixels = pixels[list(order)]
    size = pixels.shape[1], pixels.shape[2]
    if size == (height, width):
        return LoadedImage(path, pixels, size)
    note = f"resized from {size[1]}x{size[0]} to {width}x{height}"
    return LoadedImage(path, fit(pixels, height, width, how), size, note)


def shown_window(
    size: tuple[int, int], shape: ImageShape, cropped: ImageShape, how: str
) -> np.ndarray:
    """What a net sees of an image of ``size`` (height, width): xmin, ymin, xmax, ymax in fractions
    of the image, (4,). The image is resized to ``shape``, of which the middle is ``cropped``.
    """
    window = fitted_window(size, shape[1:], how).astype(np.float64)
    start, extent = window[:2], window[2:] - window[:2]
    whole, taken = np.array(shape[:0:-1]), np.array(cropped[:0:-1])
    offset = (whole - taken) // 2
    inner = np.concatenate([offset / whole, (offset + taken) / whole])
    return np.asarray(np.tile(start, 2) + inner * np.tile(extent, 2))
