"""Losses over single elements, on a GPU."""

from __future__ import annotations

from typing import Any

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels.cuda.launch import BLOCK, MOST, compiled
from protonet.kernels.losses import SquaredDistance


class CudaSquaredDistance(SquaredDistance, processor="cuda"):
    """Sums of blocks, which are added in a fixed order; CuPy's dot could not be recorded."""

    @classmethod
    def takes(cls, count: int) -> bool:
        return 0 < count <= MOST

    def __init__(self, device: Device, dtype: Any, count: int) -> None:
        super().__init__(device, dtype, count)
        self._source, self._count = compiled(device, "losses"), count
        self._blocks = min(256, -(-count // BLOCK))
        self._parts = self.scratch((self._blocks,))

    def forward(self, a: Array, b: Array, difference: Array, loss: Array, factor: float) -> None:
        launch, parts = self._source, self._parts
        launch.blocks((self._blocks,), "squares", a, b, difference, parts, self._count)
        launch.blocks((1,), "total", parts, loss, self._blocks, float(factor))
