"""Rectification on a GPU; other activations run as they are defined."""

from __future__ import annotations

import math
from typing import Any

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels.activations import Rectifier
from protonet.kernels.cuda.launch import MOST, TYPES, compiled


class CudaRectifier(Rectifier, processor="cuda"):
    """One pass, without scratch."""

    types = TYPES

    @classmethod
    def takes(cls, shape: tuple[int, ...], slope: float) -> bool:
        return 0 < math.prod(shape) <= MOST

    def __init__(self, device: Device, dtype: Any, shape: tuple[int, ...], slope: float) -> None:
        super().__init__(device, dtype, shape, slope)
        self._source, self._count = compiled(device, "activations", dtype), math.prod(shape)

    def forward(self, x: Array, y: Array) -> None:
        self._source.over(self._count, "rectify", x, y, self._count, float(self.slope))

    def backward(self, dy: Array, sided: Array, dx: Array) -> None:
        self._source.over(
            self._count, "rectify_back", dy, sided, dx, self._count, float(self.slope)
        )
