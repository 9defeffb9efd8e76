"""The gradient of a bias, on a GPU."""

from __future__ import annotations

from typing import Any

import numpy as np

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels.bias import BiasGradient
from protonet.kernels.cuda.launch import MOST, TYPES, Extent, compiled, pieces


class CudaBiasGradient(BiasGradient, processor="cuda"):
    """One pass, and one over its sums."""

    types = TYPES

    @classmethod
    def takes(cls, items: int, channels: int, places: int) -> bool:
        return 0 < items * channels * places <= MOST

    def __init__(self, device: Device, dtype: Any, items: int, channels: int, places: int) -> None:
        super().__init__(device, dtype, items, channels, places)
        self._seen = (items, Extent(channels), Extent(places))
        self._source = compiled(device, "bias", dtype)
        self._pieces = pieces(items * places, channels)
        self._parts = self.scratch((channels, self._pieces), np.float32)

    def learn(self, dy: Array, y: Array | None, db: Array | None) -> None:
        if y is None and db is None:
            return
        channels, launch = len(self._parts), self._source
        launch.blocks((channels, self._pieces), "sum_parts", dy, y, self._parts, *self._seen)
        if db is not None:
            launch.over(channels, "add_sums", self._parts, db, channels, self._pieces)
