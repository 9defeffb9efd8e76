"""One number for each channel, on a GPU."""

from __future__ import annotations

from typing import Any

import numpy as np

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels.cuda.launch import MOST, TYPES, Extent, compiled, pieces
from protonet.kernels.scaling import Leaning, Scaling


class CudaScaling(Scaling, processor="cuda"):
    """One pass over the values in each direction, and one for the sums."""

    types = TYPES

    @classmethod
    def takes(cls, items: int, channels: int, places: int) -> bool:
        return 0 < items * channels * places <= MOST

    def __init__(self, device: Device, dtype: Any, items: int, channels: int, places: int) -> None:
        super().__init__(device, dtype, items, channels, places)
        self._seen = (items, Extent(channels), Extent(places))
        self._source = compiled(device, "scaling", dtype)
        self._count = items * channels * places
        self._pieces = pieces(items * places, channels)
        self._parts = self.scratch((channels, self._pieces, 2), np.float32)

    def forward(
        self, x: Array, s: Array | None, b: Array | None, y: Array, *, rectify: bool = False
    ) -> None:
        self._source.packs(self._count, "forward", x, s, b, y, None, *self._seen, rectify)

    def backward(
        self,
        dy: Array,
        x: Array | None,
        s: Array | None,
        dx: Array | None,
        ds: Array | None,
        db: Array | None,
        *,
        y: Array | None = None,
    ) -> None:
        channels, launch = len(self._parts), self._source
        if ds is not None or db is not None:
            looked_at = x if ds is not None else None
            launch.blocks(
                (channels, self._pieces), "sum_parts", dy, looked_at, y, self._parts, *self._seen
            )
            launch.over(channels, "add_sums", self._parts, ds, db, channels, self._pieces)
        if dx is not None:
            launch.packs(self._count, "forward", dy, s, None, dx, y, *self._seen, False)


class CudaLeaning(Leaning, processor="cuda"):
    """One pass in each direction, and one for the sums."""

    types = TYPES

    @classmethod
    def takes(cls, items: int, channels: int, places: int) -> bool:
        return 0 < items * channels * places <= MOST

    def __init__(self, device: Device, dtype: Any, items: int, channels: int, places: int) -> None:
        super().__init__(device, dtype, items, channels, places)
        self._seen = (items, Extent(channels), Extent(places))
        self._source = compiled(device, "scaling", dtype)
        self._pieces = pieces(items * places, channels)
        self._parts = self.scratch((channels, self._pieces, 2), np.float32)

    def forward(self, x: Array, a: Array, y: Array) -> None:
        self._source.packs(x.size, "lean", x, a, y, *self._seen)

    def backward(self, dy: Array, x: Array, a: Array, dx: Array | None, da: Array | None) -> None:
        channels, launch = len(self._parts), self._source
        parts = self._parts if da is not None else None
        launch.blocks((channels, self._pieces), "lean_back", dy, x, a, dx, parts, *self._seen)
        if da is not None:
            launch.over(channels, "add_sums", parts, da, None, channels, self._pieces)
