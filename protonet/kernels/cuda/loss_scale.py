"""Loss scaling on a GPU, without synchronization."""

from __future__ import annotations

from typing import Any

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels.cuda.launch import COUNT, compiled
from protonet.kernels.loss_scale import GROWTH_INTERVAL, MAX_SCALE, Unscale


class CudaUnscale(Unscale, processor="cuda"):
    """One pass, and one thread that updates the scale."""

    requires = (COUNT,)

    def __init__(self, device: Device, dtype: Any, count: int) -> None:
        super().__init__(device, dtype, count)
        self._source = compiled(device, "loss_scale")

    def settle(self, g: Array, scale: Array, counts: Array) -> None:
        self._source.packs(self.count, "divide", g, scale, counts, self.count)
        self._source.blocks((1,), "settle", scale, counts, float(GROWTH_INTERVAL), float(MAX_SCALE))
