"""Sums of two arrays on a GPU; products and maxima run as they are defined."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels.combine import Combine
from protonet.kernels.cuda.launch import MOST, TYPES, compiled


class CudaCombine(Combine, processor="cuda"):
    """One pass in each direction."""

    types = TYPES

    @classmethod
    def takes(cls, shape: tuple[int, ...], count: int) -> bool:
        return count == 2 and 0 < math.prod(shape) <= MOST

    def __init__(self, device: Device, dtype: Any, shape: tuple[int, ...], count: int) -> None:
        super().__init__(device, dtype, shape, count)
        self._source, self._count = compiled(device, "combine", dtype), math.prod(shape)

    def add(self, a: Array, b: Array, out: Array) -> None:
        self.weighted_sum([a, b], [1.0, 1.0], out)

    def weighted_sum(
        self, xs: Sequence[Array], cs: Sequence[float], y: Array, *, rectify: bool = False
    ) -> None:
        (a, b), (c, d) = xs, map(float, cs)
        self._source.over(self._count, "weighted_sum", a, b, c, d, y, self._count, rectify)

    def scatter(
        self, dy: Array, y: Array | None, cs: Sequence[float], dxs: Sequence[Array]
    ) -> None:
        (c, d), (da, db) = (*map(float, cs), 0.0)[:2], (*dxs, None)[:2]
        self._source.over(self._count, "scatter", dy, y, c, d, da, db, self._count)
