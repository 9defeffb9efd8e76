"""Softmax and its loss on a GPU."""

from __future__ import annotations

import math
from typing import Any

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels.cuda.launch import ELEMENTS, WIDE, compiled
from protonet.kernels.kernel import OTHERWISE, Algorithm
from protonet.kernels.softmax import SMALLEST, Softmax


class CudaSoftmax(Softmax, processor="cuda"):
    """One launch in each direction."""

    requires = (ELEMENTS,)
    algorithms = (
        Algorithm("a block for each item", WIDE),
        Algorithm("a thread for each item", OTHERWISE),
    )

    def __init__(self, device: Device, dtype: Any, shape: tuple[int, ...], axis: int) -> None:
        super().__init__(device, dtype, shape, axis)
        before, after = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
        self._source = compiled(device, "softmax")
        self._extents, self._items = (before, shape[axis], after), before * after
        self._wide = WIDE.holds(shape[axis], after)

    def forward(self, x: Array, y: Array) -> None:
        if self._wide:
            self._source.blocks((self._items,), "forward_wide", x, y, *self._extents)
        else:
            self._source.over(self._items, "forward_many", x, y, *self._extents)

    def backward(self, y: Array, dy: Array, dx: Array) -> None:
        self._source.over(self._items, "backward", y, dy, dx, *self._extents)

    def loss(
        self, x: Array, labels: Array, valid: Array | None, smoothing: float, p: Array, logs: Array
    ) -> None:
        self.forward(x, p)
        numbers = (float(smoothing), float(SMALLEST))
        self._source.over(
            self._items, "logarithms", p, labels, valid, logs, *self._extents, *numbers
        )

    def loss_gradient(
        self,
        p: Array,
        labels: Array,
        valid: Array | None,
        smoothing: float,
        factor: Array,
        dx: Array,
    ) -> None:
        arrays = (p, labels, valid, factor, dx)
        count = math.prod(self._extents)
        self._source.over(count, "loss_gradient", *arrays, *self._extents, float(smoothing))
