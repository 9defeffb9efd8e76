"""Conversion between float32 and 16-bit types."""

from __future__ import annotations

from typing import Any

import numpy as np

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels import native
from protonet.kernels.kernel import Kernel


class Convert(Kernel):
    """Copies between float32 and the kernel's dtype: arrays of ``count`` elements, of any shape.

    Overflow gives infinity without a warning: loss scaling checks for it.
    """

    def __init__(self, device: Device, dtype: Any, count: int) -> None:
        super().__init__(device, dtype)
        self.count = count

    def narrow(self, x: Array, y: Array) -> None:
        """Write ``x``, float32, to ``y``, rounded to the nearest, ties to even."""
        with np.errstate(over="ignore"):
            self.xp.copyto(y.reshape(-1), x.reshape(-1), casting="same_kind")

    def widen(self, x: Array, y: Array) -> None:
        """Write ``x`` to ``y``, float32: exactly."""
        self.xp.copyto(y.reshape(-1), x.reshape(-1), casting="same_kind")


class NativeConvert(Convert, processor="native"):
    """One pass."""

    dtypes = frozenset({"bfloat16"})

    def narrow(self, x: Array, y: Array) -> None:
        native.load().narrow(x, native.words(y))

    def widen(self, x: Array, y: Array) -> None:
        native.load().widen(native.words(x), y)
