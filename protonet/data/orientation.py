"""The EXIF orientation of photographs, applied as OpenCV does for Caffe."""

from __future__ import annotations

import io
import warnings

import numpy as np

_TAG = 0x0112
"""EXIF's orientation: a number from 1 (as it is) to 8."""
_MARKS = (b"Exif\0\0", b"eXIf", b"EXIF")
"""One of these is in a JPEG, PNG or WebP file that has EXIF."""
_LOOKED_AT = 2**17
"""Bytes in which the mark of a JPEG lies; in other files it may be anywhere."""


def orientation_of(data: bytes) -> int:
    """The orientation of an image file; 1 where it says none, or nothing that can be."""
    head = data[:_LOOKED_AT] if data.startswith(b"\xff\xd8") else data
    if not any(mark in head for mark in _MARKS):
        return 1
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data)) as image:
                found = image.getexif().get(_TAG, 1)
    except Exception:  # whatever damaged bytes provoke
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def upright(image: np.ndarray, orientation: int) -> np.ndarray:
    """An image (channels, height, width) rotated and flipped to orientation 1."""
    if orientation in (5, 6, 7, 8):
        image = image.transpose(0, 2, 1)
    if orientation in (3, 4, 7, 8):
        image = image[:, ::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, :, ::-1]
    return image
