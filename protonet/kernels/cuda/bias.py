"""The gradient of a bias, on a GPU."""

from __future__ import annotations

from typing import Any

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels.bias import BiasGradient
from protonet.kernels.cuda.launch import DTYPES, PLANES, ChannelSums


class CudaBiasGradient(BiasGradient, processor="cuda"):
    """One pass, and one over its partial sums."""

    dtypes = DTYPES

    requires = (PLANES,)

    def __init__(self, device: Device, dtype: Any, items: int, channels: int, places: int) -> None:
        super().__init__(device, dtype, items, channels, places)
        self._sums = ChannelSums(self, "bias", (items, channels, places), 1)

    def learn(self, dy: Array, y: Array | None, db: Array | None) -> None:
        if y is None and db is None:
            return
        self._sums.launch("sum_parts", dy, y, self._sums.parts)
        if db is not None:
            self._sums.add_up(db)
