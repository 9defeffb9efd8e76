"""A convolution over pixels and the pooling of its result, computed at once.

What a convolution writes is several times as large as what pooling keeps of it, and of large images
or batches it leaves the caches before it is read. At once, only some rows of it exist at a time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels import native
from protonet.kernels.bands import overlaps_little
from protonet.kernels.convolution import ConvolutionShape, Stage
from protonet.kernels.kernel import Call, Condition, Kernel
from protonet.kernels.pixels import NEEDS, AveragePoolPixels, ConvolvePixels, MaxPoolPixels
from protonet.kernels.pooling import native_windows
from protonet.kernels.windows import MODEST, Windows

_FEW = 256
"""Images of fewer places are shared out over threads by outputs, or several at a time."""
_LIGHT = 1 << 18
"""Weights that stay in the cache while bands of rows are computed."""


def pools_well(shape: ConvolutionShape, pool: Windows) -> bool:
    """Whether a convolution is as fast some rows of an image at a time, with these windows behind
    it, each of which begins inside the image.
    """
    windows, items, channels, outputs, group = shape
    if group != 1 or len(windows.inputs) != 2 or math.prod(windows.outputs) < _FEW:
        return False
    if math.prod(windows.kernel) * channels * outputs > _LIGHT or pool.kernel < pool.stride:
        return False
    last = ((n - 1) * s - p for n, s, p in zip(pool.outputs, pool.stride, pool.pad, strict=True))
    if any(start >= i for start, i in zip(last, pool.inputs, strict=True)):
        return False
    return overlaps_little(pool, items)


class PooledPixels(Kernel):
    """A convolution over pixels, and a pooling of its result, with a ReLU behind it or not.

    Args:
        convolution: the kernel of the convolution.
        windows: of the pooling.
        mean: whether it is of means; else of maxima.
    """

    def __init__(
        self, device: Device, dtype: Any, convolution: ConvolvePixels, windows: Windows, mean: bool
    ) -> None:
        super().__init__(device, dtype)
        self.convolution, self.windows, self.mean = convolution, windows, mean

    def forward(self, x: Array, y: Array, stage: Stage, rectify: bool) -> None:
        """Write the pooled result of a convolution to ``y``; ``rectify`` sets negative ones, of
        maxima, to 0.
        """
        c = self.convolution
        values = np.empty((c.items, c.outputs, *c.windows.outputs), self.dtype)
        c.forward(x, stage.weights, stage.shift, values, factor=stage.factor, rectify=stage.rectify)
        geometry = (self.device, self.dtype, self.windows, c.items, c.outputs)
        if self.mean:
            AveragePoolPixels(*geometry).forward(values, y)
        else:
            MaxPoolPixels(*geometry).forward(values, y, None)
        if rectify:
            np.maximum(y, 0, out=y)

    def call(self, x: Array, y: Array, stage: Stage, rectify: bool) -> Call | None:
        """What ``forward`` calls, as long as weights are kept; None if that is not one function."""
        return None


class NativePooledPixels(PooledPixels, processor="native"):
    """Some rows at a time, which stay in the cache."""

    instructions: ClassVar[Mapping[str, str]] = NEEDS
    requires = (
        Condition(
            "one group, two axes",
            lambda convolution, *_: convolution.group == 1 and len(convolution.windows.inputs) == 2,
        ),
        Condition(
            MODEST.words,
            lambda convolution, windows, _: (
                MODEST.holds(convolution.windows) and MODEST.holds(windows)
            ),
        ),
    )

    @cached_property
    def _native(self) -> Any:
        c = self.convolution
        w = c.windows.effective
        geometry = (w.kernel, w.stride, w.pad, w.dilation, w.outputs, c.planes)
        windows = self.windows.effective
        _, *pool, outputs = native_windows(windows)
        made = native.of(self.dtype).PooledConvolution
        sizes = (c.items, c.channels, w.inputs, c.outputs)
        return made(*sizes, *geometry, *pool, windows.dilation, outputs)

    def forward(self, x: Array, y: Array, stage: Stage, rectify: bool) -> None:
        function, arguments = self.call(x, y, stage, rectify)
        function(*arguments)

    def call(self, x: Array, y: Array, stage: Stage, rectify: bool) -> Call:
        weights = self.convolution.packed(stage.weights)
        return self._native.forward, (x, weights, *stage[1:], y, self.mean, rectify)
