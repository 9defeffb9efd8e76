"""The transformation of an image: crop, mirror, mean subtraction, scale."""

from __future__ import annotations

import numpy as np

from protonet.kernels import native
from protonet.kernels.kernel import Kernel


class Transform(Kernel):
    """``out = (window - mean) scale``, on the CPU."""

    def apply(
        self,
        images: np.ndarray,
        mean: np.ndarray | None,
        out: np.ndarray,
        top: int,
        left: int,
        mirror: bool,
        scale: float,
    ) -> None:
        """Write a window of one image, or of each of several.

        Args:
            images: (channels, height, width), with any axes before.
            mean: of the image's height and width, of which the same window is taken; or of the
                window's, as it is; or one number for each channel, or one for all.
            out: float32, with the axes of ``images``; its last two are the window's.
            top: the first row of the window.
            left: its first column.
            mirror: flip the columns.
            scale: a factor for all values.
        """
        height, width = out.shape[-2:]
        rows, columns = slice(top, top + height), slice(left, left + width)
        window = images[..., rows, columns]
        window = window[..., ::-1] if mirror else window
        if window.dtype == np.uint8 and window.strides[-1] != 1:
            # Reordered as bytes first: only contiguous bytes are converted to floats as vectors.
            window = np.array(window, order="C")
        np.copyto(out, window, casting="same_kind")
        if mean is not None:
            if mean.shape[1:] == images.shape[-2:]:
                mean = mean[:, rows, columns]
                mean = mean[..., ::-1] if mirror else mean
            out -= mean
        if scale != 1:
            out *= scale


class NativeTransform(Transform, processor="native"):
    """One pass over an image of bytes or floats, without the GIL."""

    def apply(
        self,
        images: np.ndarray,
        mean: np.ndarray | None,
        out: np.ndarray,
        top: int,
        left: int,
        mirror: bool,
        scale: float,
    ) -> None:
        known = images.ndim == 3 and images.dtype in (np.uint8, np.float32)
        if not known or not out.flags.c_contiguous or not out.size:
            super().apply(images, mean, out, top, left, mirror, scale)
            return
        native.load().transform(images, mean, out, top, left, mirror, scale)
