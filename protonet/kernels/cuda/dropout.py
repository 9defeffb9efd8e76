"""Dropout on a GPU."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels.cuda.launch import DTYPES, ELEMENTS, compiled
from protonet.kernels.dropout import Drop
from protonet.kernels.random_stream import RandomStream


class CudaDrop(Drop, processor="cuda"):
    """The same numbers, generated where they are used; the mask is stored as bytes."""

    dtypes = DTYPES

    requires = (ELEMENTS,)

    def __init__(self, device: Device, dtype: Any, shape: tuple[int, ...], ratio: float) -> None:
        super().__init__(device, dtype, shape, ratio)
        self._source, self._count = compiled(device, "dropout", dtype), math.prod(shape)
        self._kept = self.scratch((self._count,), np.uint8)

    def forward(self, x: Array, y: Array, random: RandomStream) -> None:
        keys, part = (np.uint64(key) for key in random.key), random.part
        numbers = (self._count, float(self.ratio), float(self.scale))
        kernel = "forward"
        places: tuple[int, ...] = ()
        if part is not None and self._count % part.count == 0:
            each = self._count // part.count
            kernel, places = "forward_part", (each, part.first, part.step)
        threads = -(-self._count // 8)
        self._source.over(
            threads, kernel, x, y, self._kept, *numbers, *places, *keys, random.clock.on_device
        )

    def backward(self, dy: Array, dx: Array) -> None:
        self._source.packs(
            self._count, "backward", dy, self._kept, dx, self._count, float(self.scale)
        )
