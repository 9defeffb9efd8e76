"""Per-channel scale, bias and PReLU on a GPU."""

from __future__ import annotations

from typing import Any

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels.cuda.launch import DTYPES, PLANES, ChannelSums
from protonet.kernels.scaling import ParametricRectifier, Scaling


class CudaScaling(Scaling, processor="cuda"):
    """One pass over the values in each direction, and one for the sums."""

    dtypes = DTYPES

    requires = (PLANES,)

    def __init__(self, device: Device, dtype: Any, items: int, channels: int, places: int) -> None:
        super().__init__(device, dtype, items, channels, places)
        self._sums = ChannelSums(self, "scaling", (items, channels, places), 2)
        self._count = items * channels * places

    def forward(
        self, x: Array, s: Array | None, b: Array | None, y: Array, *, rectify: bool = False
    ) -> None:
        self._run(x, s, b, y, None, rectify)

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
        sums = self._sums
        if ds is not None or db is not None:
            sums.launch("sum_parts", dy, x if ds is not None else None, y, sums.parts)
            sums.add_up(ds, db)
        if dx is not None:
            self._run(dy, s, None, dx, y, False)

    def _run(
        self, x: Array, s: Array | None, b: Array | None, y: Array, top: Array | None, rectify: bool
    ) -> None:
        given, seen = (x, s, b, y, top), self._sums.seen
        self._sums.source.packs(self._count, "forward", *given, *seen, rectify)


class CudaParametricRectifier(ParametricRectifier, processor="cuda"):
    """One pass in each direction, and one for the sums."""

    dtypes = DTYPES

    requires = (PLANES,)

    def __init__(self, device: Device, dtype: Any, items: int, channels: int, places: int) -> None:
        super().__init__(device, dtype, items, channels, places)
        self._sums = ChannelSums(self, "scaling", (items, channels, places), 2)

    def forward(self, x: Array, a: Array, y: Array) -> None:
        self._sums.source.packs(x.size, "lean", x, a, y, *self._sums.seen)

    def backward(self, dy: Array, x: Array, a: Array, dx: Array | None, da: Array | None) -> None:
        self._sums.launch("lean_back", dy, x, a, dx, self._sums.parts if da is not None else None)
        if da is not None:
            self._sums.add_up(da, None)
