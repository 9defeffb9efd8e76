"""Scatter-add of rows by index, on a GPU."""

from __future__ import annotations

from typing import Any

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels.cuda.launch import ROWS, compiled
from protonet.kernels.rows import AddRows


class CudaAddRows(AddRows, processor="cuda"):
    """In the definition's order. Every thread scans the indices, which suits thousands of rows."""

    requires = (ROWS,)

    def __init__(self, device: Device, dtype: Any, count: int, length: int) -> None:
        super().__init__(device, dtype, count, length)
        self._source = compiled(device, "rows", dtype)

    def add(self, dx: Array, rows: Array, dy: Array) -> None:
        count, length = self._shape
        limit = dx.size // length
        self._source.over(count * length, "add_rows", dy, rows, dx, count, length, limit)
