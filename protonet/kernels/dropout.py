"""Dropout, with a new mask in each forward pass."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels import native
from protonet.kernels.kernel import Kernel
from protonet.kernels.random_stream import RandomStream


class Drop(Kernel):
    """y = x m / (1 - ratio), where m is 1 where the stream's number is at least ``ratio``, else 0.

    Args:
        shape: of x.
        ratio: 0 <= ratio < 1.
    """

    def __init__(self, device: Device, dtype: Any, shape: tuple[int, ...], ratio: float) -> None:
        super().__init__(device, dtype)
        self.shape, self.ratio, self.scale = shape, ratio, 1.0 / (1.0 - ratio)
        self._mask: Array | None = None

    def forward(self, x: Array, y: Array, random: RandomStream) -> None:
        """Write x m / (1 - ratio) to ``y``, which may be ``x``."""
        if self._mask is None:
            self._mask = self.scratch(self.shape, np.float32)
        xp, mask = self.xp, self._mask
        random.uniform(mask)
        xp.greater_equal(mask, self.ratio, out=mask)
        xp.multiply(mask, self.scale, out=mask)
        xp.multiply(x, mask, out=y)

    def backward(self, dy: Array, dx: Array) -> None:
        """Write dy m / (1 - ratio) of the last forward pass to ``dx``, which may be ``dy``."""
        self.xp.multiply(dy, self._mask, out=dx)


class NativeDrop(Drop, processor="native"):
    """The same numbers, generated where they are used; the mask is stored as bits. A part of a
    batch is dropped as defined: its numbers may begin within a block.
    """

    def __init__(self, device: Device, dtype: Any, shape: tuple[int, ...], ratio: float) -> None:
        super().__init__(device, dtype, shape, ratio)
        self._module = native.load()
        self._bits = self.scratch((math.prod(shape) // 32 * 4 + 8,), np.uint8)

    def forward(self, x: Array, y: Array, random: RandomStream) -> None:
        if random.part is not None:
            super().forward(x, y, random)
            return
        self._module.dropout_forward(
            x, y, self._bits, self.ratio, self.scale, *random.key, random.clock.iteration
        )

    def backward(self, dy: Array, dx: Array) -> None:
        if self._mask is not None:
            super().backward(dy, dx)
            return
        self._module.dropout_backward(dy, self._bits, self.scale, dx)
