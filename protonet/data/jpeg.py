"""JPEG by our own decoder or simplejpeg: faster than Pillow, with the same pixels."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from protonet.kernels import native

_DECODED = {"Gray": "Gray", "YCbCr": "BGR", "RGB": "BGR"}
"""Colour spaces of files, and what they are decoded to."""


def decode_jpeg(data: bytes, *, color: bool | None, most: float) -> np.ndarray | None:
    """A JPEG as uint8 (1, height, width) or BGR (3, height, width), which may be a view of
    interleaved pixels.

    The usual kind (sequential, with Huffman codes) is decoded by ``kernels/native/jpeg.cpp``, the
    rest by simplejpeg where it is installed; both without the GIL. None for what is left to Pillow:
    other colour spaces, colour that is forced to gray, files of more than ``most`` pixels, damage.
    """
    compiled = native.load()
    if compiled is not None:
        planes: np.ndarray | None = compiled.decode_jpeg(data, color, most)
        if planes is not None:
            return planes
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
