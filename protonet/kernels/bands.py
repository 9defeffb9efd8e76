"""When layers over pixels may be computed at once: a band of rows of all of them at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from protonet.kernels import native
from protonet.kernels.convolution import ConvolutionShape
from protonet.kernels.pixels import by_tiles
from protonet.kernels.windows import Windows

_RECOMPUTED = 0.08
"""The part of the rows under windows that may be computed by two threads."""


def fits_bands(dtype: np.dtype[Any], shape: ConvolutionShape) -> bool:
    """Whether rows of images of a type can be computed where they lie: of bfloat16, channels are
    read in pairs, and by vectors, not by tiles, which take places of whole images.
    """
    if dtype.itemsize == 2:
        return not (by_tiles(dtype) or shape[2] % 2)
    return dtype == np.float32


def overlaps_little(windows: Windows, items: int) -> bool:
    """Whether few rows under windows are computed twice, since two threads need them."""
    twice = (_parts(items) - 1) * max(0, windows.kernel[0] - windows.stride[0])
    return twice <= _RECOMPUTED * windows.inputs[0]


def _parts(items: int) -> int:
    """Into how many parts threads divide an image, so that they idle for less than a tenth of the
    time (``parts_of`` in ``pool.h``).
    """
    threads, parts = native.threads(), 1
    while parts < 2 * threads and 10 * items * parts < 9 * threads * -(-items * parts // threads):
        parts += 1
    return parts
