"""Values of 16 bits from those of float32, and back, on a GPU."""

from __future__ import annotations

from typing import Any

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels.convert import Convert
from protonet.kernels.cuda.launch import MOST, compiled


class CudaConvert(Convert, processor="cuda"):
    """One pass."""

    types = frozenset({"float32", "float16", "bfloat16"})

    @classmethod
    def takes(cls, count: int) -> bool:
        return count <= MOST

    def __init__(self, device: Device, dtype: Any, count: int) -> None:
        super().__init__(device, dtype, count)
        self._source = compiled(device, "convert", dtype)

    def narrow(self, x: Array, y: Array) -> None:
        self._source.over(self.count, "narrow", x, y, self.count)

    def widen(self, x: Array, y: Array) -> None:
        self._source.over(self.count, "widen", x, y, self.count)
