"""Pictures of the classes of pixels: in the colours of a class table, also over an image."""

from __future__ import annotations

import io

import numpy as np

from protonet.data.class_table import ClassTable
from protonet.data.datum import encode_image
from protonet.data.interpolation import Interpolation, resample
from protonet.errors import DataError


def label_picture(labels: np.ndarray, table: ClassTable) -> bytes:
    """A PNG file whose pixels are the numbers of classes, with the colours of ``table`` as its
    palette.

    Args:
        labels: numbers of 0 to 255, (height, width) or (1, height, width).
        table: the classes; other numbers are black.

    Raises:
        DataError: for labels of another shape.
    """
    from PIL import Image

    picture = Image.fromarray(_plane(labels))
    picture.putpalette(table.palette().tobytes())
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def overlay_picture(
    image: np.ndarray, labels: np.ndarray, table: ClassTable, opacity: float = 0.5
) -> bytes:
    """A PNG file of an image with the colours of its classes laid over it.

    Args:
        image: uint8 (1 or 3, height, width), colour as BGR.
        labels: as of ``label_picture``; resized to the image where their sizes differ.
        table: the classes.
        opacity: 0 shows the image alone, 1 the colours alone.

    Raises:
        DataError: for an image or labels of other shapes.
    """
    if image.ndim != 3 or image.shape[0] not in (1, 3):
        shape = "x".join(map(str, image.shape))
        raise DataError(f"expected an image of 1 or 3 channels to lay classes over, got {shape}")
    plane = _plane(labels)
    if plane.shape != image.shape[1:]:
        height, width = image.shape[1:]
        plane = resample(plane[None], height, width, Interpolation.NEAREST)[0]
    colours = table.palette()[:, ::-1][plane].transpose(2, 0, 1)
    mixed = image * (1 - opacity) + colours * opacity
    return encode_image(np.rint(mixed).astype(np.uint8))


def _plane(labels: np.ndarray) -> np.ndarray:
    """The labels as uint8 (height, width)."""
    plane = labels[0] if labels.ndim == 3 and labels.shape[0] == 1 else labels
    if plane.ndim != 2:
        shape = "x".join(map(str, labels.shape))
        raise DataError(f"expected one class for each pixel, height x width, got {shape} values")
    return np.ascontiguousarray(plane.astype(np.uint8))
