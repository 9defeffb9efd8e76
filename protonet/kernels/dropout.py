"""Dropout, with a new mask in each forward pass."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels import native
from protonet.kernels.kernel import STORED, Kernel
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
    """The same numbers, generated where they are used; the mask is stored as bits."""

    dtypes = STORED

    def __init__(self, device: Device, dtype: Any, shape: tuple[int, ...], ratio: float) -> None:
        super().__init__(device, dtype, shape, ratio)
        self._module = native.of(self.dtype)
        self._runs: list[tuple[slice, Array, tuple[int, ...]]] = []

    def forward(self, x: Array, y: Array, random: RandomStream) -> None:
        if not self._runs:
            for place, number in random.runs(math.prod(self.shape)):
                bits = self.scratch((_mask_bytes(place.stop - place.start),), np.uint8)
                self._runs.append((place, bits, () if random.part is None else (number,)))
        numbers, x, y = (*random.key, random.clock.iteration), x.reshape(-1), y.reshape(-1)
        for place, bits, first in self._runs:
            self._module.dropout_forward(
                x[place], y[place], bits, self.ratio, self.scale, *numbers, *first
            )

    def backward(self, dy: Array, dx: Array) -> None:
        dy, dx = dy.reshape(-1), dx.reshape(-1)
        for place, bits, first in self._runs:
            self._module.dropout_backward(dy[place], bits, self.scale, dx[place], *first)


def _mask_bytes(count: int) -> int:
    """The bytes of a mask of so many bits, which may begin within a byte: whole blocks of four, and
    a vector.
    """
    return (count + 7) // 32 * 4 + 16
