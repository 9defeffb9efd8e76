"""Pooling on a GPU: one thread per window forward, one per place backward."""

from __future__ import annotations

import math
from typing import Any

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels.cuda.launch import DTYPES, Extent, compiled, counted
from protonet.kernels.pooling import LOWEST, AveragePool, MaxPool, Pool
from protonet.kernels.windows import ADJACENT, Windows


class _Planes(Pool):
    """The arguments of both poolings."""

    dtypes = DTYPES

    requires = (
        counted(
            "elements of bottom and top",
            lambda windows, items, channels: (
                items * channels * max(math.prod(windows.inputs), math.prod(windows.outputs))
            ),
        ),
        ADJACENT,
    )

    def __init__(
        self, device: Device, dtype: Any, windows: Windows, items: int, channels: int
    ) -> None:
        super().__init__(device, dtype, windows, items, channels)
        self._source, w, planes = compiled(device, "pooling", dtype), windows, items * channels
        ins, outs, strides = (tuple(map(Extent, each)) for each in (w.inputs, w.outputs, w.stride))
        self._windows = (planes, *w.inputs, *w.kernel, *w.stride, *w.pad, *outs)
        self._pixels = (planes, *ins, *w.kernel, *strides, *w.pad, *w.outputs)
        self._ins, self._outs = planes * math.prod(w.inputs), planes * math.prod(w.outputs)


class CudaMaxPool(MaxPool, _Planes, processor="cuda"):
    """Without scratch."""

    def forward(self, x: Array, y: Array, places: Array | None) -> None:
        self._source.over(self._outs, "max_forward", x, y, places, LOWEST, *self._windows)

    def backward(self, dy: Array, places: Array, dx: Array) -> None:
        self._source.over(self._ins, "max_backward", dy, places, dx, *self._pixels)


class CudaAveragePool(AveragePool, _Planes, processor="cuda"):
    """Without scratch."""

    def forward(self, x: Array, y: Array) -> None:
        self._source.over(self._outs, "mean_forward", x, y, *self._windows)

    def backward(self, dy: Array, dx: Array) -> None:
        self._source.over(self._ins, "mean_backward", dy, dx, *self._pixels)
