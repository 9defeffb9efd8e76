"""Image files in the shape that a net is asked with, and what they show of the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from protonet.data.datum import decode_image
from protonet.data.resize import fit, fitted_window
from protonet.data.transform import Transformer
from protonet.errors import DataError
from protonet.proto.caffe_pb2 import ResizeParameter


@dataclass(frozen=True)
class LoadedImage:
    """An image as uint8, (height, width) of its file, and a note on how it was resized ("" for not
    at all).
    """

    path: Path
    pixels: np.ndarray
    size: tuple[int, int] = (0, 0)
    note: str = ""


def load_image(
    path: Path, transformer: Transformer, order: Sequence[int] | None, how: str
) -> LoadedImage:
    """The image of a file in the shape that a transformer takes, or of any size if it resizes.

    Args:
        path: of the file.
        transformer: of the net.
        order: which channel of blue, green, red each channel is; None for as they are.
        how: the image is resized, one of ``data.resize.RESIZE_MODES``.

    Raises:
        DataError: for a file that is absent, not an image, or damaged.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    channels = transformer.shape[0]
    pixels = decode_image(data, str(path), color=channels == 3, follows_exif=True)
    if order is not None:
        pixels = pixels[list(order)]
    size = pixels.shape[1], pixels.shape[2]
    if size == transformer.shape[1:]:
        return LoadedImage(path, pixels, size)
    _, height, width = transformer.fitted_shape
    note = f"resized from {size[1]}x{size[0]} to {width}x{height}"
    return LoadedImage(path, fitted(pixels, transformer, how), size, note)


def fitted(pixels: np.ndarray, transformer: Transformer, how: str) -> np.ndarray:
    """An image of any size in the shape that a transformer takes, or as it is if it resizes."""
    _, height, width = transformer.shape
    if transformer.resizes or pixels.shape[1:] == (height, width):
        return pixels
    return fit(pixels, height, width, how)


def shown_window(size: tuple[int, int], transformer: Transformer, how: str) -> np.ndarray:
    """What a net sees of an image of ``size`` (height, width): xmin, ymin, xmax, ymax in fractions
    of the image, (4,); below 0 or above 1 where it is filled.

    ``how`` the image is resized, unless the transformer does that.
    """
    cropped = transformer.output_shape
    if transformer.resizes and transformer.augment is not None:
        mode = transformer.augment.param.resize_param.resize_mode
        padded = mode == ResizeParameter.FIT_LARGE_SIZE_AND_PAD
        return np.asarray(fitted_window(size, cropped[1:], "fill" if padded else "squash"), float)
    shape = transformer.shape
    window = np.asarray(fitted_window(size, shape[1:], how), float)
    start, extent = window[:2], window[2:] - window[:2]
    whole, taken = np.array(shape[:0:-1]), np.array(cropped[:0:-1])
    offset = (whole - taken) // 2
    inner = np.concatenate([offset / whole, (offset + taken) / whole])
    return np.asarray(np.tile(start, 2) + inner * np.tile(extent, 2))
