"""Images in another size, as OpenCV's plain bilinear and nearest rules make them."""

from __future__ import annotations

import numpy as np


def resize(image: np.ndarray, height: int, width: int, order: int = 1) -> np.ndarray:
    """An H x W or H x W x K float image in ``height`` and ``width``.

    Pixels are areas: the centre of pixel i lies at i + 0.5, and beyond the outermost centres
    the edge goes on. ``order`` 1 takes the four nearest centres, 0 the nearest one. There is no
    smoothing when an image shrinks.

    Raises:
        ValueError: for another order, or a size below 1.
    """
    if order not in (0, 1):
        raise ValueError(f"expected order 0 (nearest) or 1 (bilinear), got {order}")
    if min(height, width, *image.shape[:2]) < 1:
        raise ValueError(f"an image of {image.shape[:2]} cannot become {height} x {width}")
    for axis, size in ((0, height), (1, width)):
        image = _along(image, axis, size, order)
    return image


def _along(image: np.ndarray, axis: int, size: int, order: int) -> np.ndarray:
    """Resize one axis."""
    old = image.shape[axis]
    if old == size:
        return image
    if order == 0:
        places = np.minimum(np.arange(size) * old // size, old - 1)
        nearest: np.ndarray = image.take(places, axis)
        return nearest
    centres = (np.arange(size) + 0.5) * (old / size) - 0.5
    below = np.floor(centres)
    share = (centres - below).astype(image.dtype)
    share = share.reshape(-1, *(1,) * (image.ndim - axis - 1))
    first = image.take(np.clip(below, 0, old - 1).astype(int), axis)
    second = image.take(np.clip(below + 1, 0, old - 1).astype(int), axis)
    mixed: np.ndarray = first + (second - first) * share
    return mixed
