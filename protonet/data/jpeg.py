"""JPEG through simplejpeg, where it is installed: faster than Pillow, with the same pixels."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

_DECODED = {"Gray": "Gray", "YCbCr": "BGR", "RGB": "BGR"}
"""Colour spaces of files, and what they are decoded to."""


def decode_jpeg(data: bytes, *, color: bool | None, most: float) -> np.ndarray | None:
    """A JPEG as uint8 (1, height, width) or BGR (3, height, width), a view of interleaved pixels.

    Decodes without the GIL. None for what is left to Pillow: other colour
    spaces, colour that is forced to gray, files of more than ``most`` pixels, damage; and where
    simplejpeg is not installed.
    """
    decoder = _decoder()
    if decoder is None:
        return None
    try:
        height, width, space, _ = decoder.decode_jpeg_header(data)
        wanted = _DECODED.get(space)
        if wanted is None or (wanted != "Gray" and color is False) or height * width > most:
            return None
        # Straight into three channels where gray is forced to colour: each has the same values.
        wanted = "BGR" if color else wanted
        pixels: np.ndarray = decoder.decode_jpeg(data, wanted)
    except ValueError:
        return None
    return pixels.transpose(2, 0, 1)


@cache
def _decoder() -> Any:
    """The module; None where it is not installed."""
    try:
        import simplejpeg
    except ImportError:
        return None
    return simplejpeg
