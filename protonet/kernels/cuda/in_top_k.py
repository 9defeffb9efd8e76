"""Whether labels are among the top k scores, on a GPU."""

from __future__ import annotations

import math
from typing import Any

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels.cuda.launch import ELEMENTS, WIDE, compiled
from protonet.kernels.in_top_k import InTopK
from protonet.kernels.kernel import OTHERWISE, Algorithm


class CudaInTopK(InTopK, processor="cuda"):
    """One launch."""

    requires = (ELEMENTS,)
    algorithms = (
        Algorithm("a block for each item", WIDE),
        Algorithm("a thread for each item", OTHERWISE),
    )

    def __init__(
        self, device: Device, dtype: Any, shape: tuple[int, ...], axis: int, top_k: int
    ) -> None:
        super().__init__(device, dtype, shape, axis, top_k)
        before, after = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
        self._source = compiled(device, "in_top_k")
        self._extents, self._items = (before, shape[axis], after, self.least), before * after
        self._wide = WIDE.holds(shape[axis], after)

    def forward(self, x: Array, labels: Array, right: Array) -> None:
        if self._wide:
            self._source.blocks((self._items,), "in_top_k_wide", x, labels, right, *self._extents)
        else:
            self._source.over(self._items, "in_top_k_many", x, labels, right, *self._extents)
