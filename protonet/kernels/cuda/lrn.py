"""Local response normalization on a GPU."""

from __future__ import annotations

import math
from typing import Any

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels.cuda.launch import DTYPES, ELEMENTS, Extent, compiled
from protonet.kernels.lrn import LRNAcrossChannels, LRNWithinChannel


class CudaLRNAcrossChannels(LRNAcrossChannels, processor="cuda"):
    """One pass each; only s is kept."""

    dtypes = DTYPES

    requires = (ELEMENTS,)

    def __init__(self, device: Device, dtype: Any, *args: Any, **more: Any) -> None:
        super().__init__(device, dtype, *args, **more)
        items, channels, *plane = self.shape
        self._source, self._count = compiled(device, "lrn", dtype), math.prod(self.shape)
        self._extents = (items, Extent(channels), Extent(math.prod(plane)), self.size // 2)

    def forward(self, x: Array, y: Array) -> None:
        scale = self.kept() if self.keeps else None
        numbers = (self.alpha / self.size, self.beta, self.k)
        self._source.over(
            self._count, "across", x, y, scale, *self._extents, *(float(each) for each in numbers)
        )

    def backward(self, dy: Array, x: Array, y: Array, dx: Array) -> None:
        weight = float(2 * self.alpha * self.beta / self.size)
        arrays = (dy, x, y, self.kept(), dx)
        self._source.over(
            self._count, "across_back", *arrays, *self._extents, weight, float(self.beta)
        )


class CudaLRNWithinChannel(LRNWithinChannel, processor="cuda"):
    """One pass each; only s is kept."""

    dtypes = DTYPES

    requires = (ELEMENTS,)

    def __init__(self, device: Device, dtype: Any, *args: Any, **more: Any) -> None:
        super().__init__(device, dtype, *args, **more)
        items, channels, *plane = self.shape
        self._source, self._count = compiled(device, "lrn", dtype), math.prod(self.shape)
        self._extents = (items * channels, *map(Extent, plane), self.size // 2)

    def forward(self, x: Array, y: Array) -> None:
        scale = self.kept() if self.keeps else None
        numbers = (self.alpha / self.size**2, float(self.beta))
        self._source.over(self._count, "within", x, y, scale, *self._extents, *numbers)

    def backward(self, dy: Array, x: Array, y: Array, dx: Array) -> None:
        numbers = (2 * self.alpha * self.beta / self.size**2, float(self.beta))
        arrays = (dy, x, y, self.kept(), dx)
        self._source.over(self._count, "within_back", *arrays, *self._extents, *numbers)
