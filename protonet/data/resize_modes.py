"""The modes of a ``resize_param`` (SSD fork, im_transforms.cpp)."""

from __future__ import annotations

import numpy as np

from protonet.data.interpolation import Interpolation, resample
from protonet.errors import LayerError
from protonet.proto.caffe_pb2 import ResizeParameter

_OF_MODE = {
    ResizeParameter.LINEAR: Interpolation.LINEAR,
    ResizeParameter.AREA: Interpolation.AREA,
    ResizeParameter.NEAREST: Interpolation.NEAREST,
    ResizeParameter.CUBIC: Interpolation.CUBIC,
    ResizeParameter.LANCZOS4: Interpolation.LANCZOS4,
}
_PATH = ("transform_param", "resize_param")


def check_resize(param: ResizeParameter, channels: int) -> None:
    """Refuse invalid settings.

    Raises:
        LayerError: naming the field.
    """
    if not param.height or not param.width:
        raise LayerError(
            f"resize_param needs a height and a width of 1 or more, got {param.height} and "
            f"{param.width}",
            _PATH,
        )
    if param.prob != 1:
        raise LayerError(
            "images are always resized, since a batch has one size: leave prob at 1",
            (*_PATH, "prob"),
        )
    if len(param.pad_value) not in (0, 1, channels):
        raise LayerError(
            f"expected 1 pad_value or one for each of {channels} channel(s), got "
            f"{len(param.pad_value)}",
            (*_PATH, "pad_value"),
        )


def resized_size(param: ResizeParameter, size: tuple[int, int]) -> tuple[int, int]:
    """The (height, width) that an image of ``size`` gets."""
    height, width = int(param.height), int(param.width)
    if param.resize_mode != ResizeParameter.FIT_SMALL_SIZE:
        return height, width
    return _shaped(size, (height, width), covers=True)


def resize_by_mode(
    image: np.ndarray, param: ResizeParameter, mode: ResizeParameter.Interp_mode
) -> np.ndarray:
    """An image (channels, h, w) resized by ``param`` with one of its ``interp_mode``."""
    how, size = _OF_MODE[mode], (image.shape[1], image.shape[2])
    height, width = resized_size(param, size)
    if param.resize_mode != ResizeParameter.FIT_LARGE_SIZE_AND_PAD:
        return resample(image, height, width, how)
    inner = _shaped(size, (height, width), covers=False)
    return _padded(resample(image, *inner, how), (height, width), param)


def _shaped(size: tuple[int, int], wanted: tuple[int, int], *, covers: bool) -> tuple[int, int]:
    """The size that covers ``wanted``, or fits into it, at the image's aspect ratio.

    Ratios are float32 and the other axis is truncated, as in the fork.
    """
    given = np.float32(size[1]) / np.float32(size[0])
    aspect = np.float32(wanted[1]) / np.float32(wanted[0])
    if (given < aspect) if covers else (given > aspect):
        return max(1, int(np.float32(wanted[1]) / given)), wanted[1]
    return wanted[0], max(1, int(given * np.float32(wanted[0])))


def _padded(image: np.ndarray, size: tuple[int, int], param: ResizeParameter) -> np.ndarray:
    """Padded to ``size``, centred; the odd pixel goes to the end."""
    channels, height, width = image.shape
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    bands = ((0, 0), (top, size[0] - height - top), (left, size[1] - width - left))
    if param.pad_mode == ResizeParameter.MIRRORED and min(height, width) > 1:
        return np.pad(image, bands, "reflect")
    if param.pad_mode != ResizeParameter.CONSTANT:  # one pixel has no other to be mirrored from
        return np.pad(image, bands, "edge")
    values = np.array(param.pad_value or [0], np.float32)
    if image.dtype == np.uint8:
        values = np.rint(values).clip(0, 255)
    out = np.empty((channels, *size), image.dtype)
    out[:] = values.astype(image.dtype)[:, None, None]
    out[:, top : top + height, left : left + width] = image
    return out
