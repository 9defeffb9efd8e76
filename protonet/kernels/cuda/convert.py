"""Conversion between float32 and 16-bit values on a GPU; weights in the type of values."""

from __future__ import annotations

from typing import Any

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels.convert import Convert
from protonet.kernels.cuda.launch import DTYPES, compiled, counted
from protonet.kernels.kernel import Kernel
from protonet.precision import is_low_precision


class CudaConvert(Convert, processor="cuda"):
    """One pass."""

    dtypes = DTYPES

    requires = (counted("elements", lambda count: count, least=0),)

    def __init__(self, device: Device, dtype: Any, count: int) -> None:
        super().__init__(device, dtype, count)
        self._source = compiled(device, "convert", dtype)

    def narrow(self, x: Array, y: Array) -> None:
        self._source.packs(self.count, "narrow", x, y, self.count)

    def widen(self, x: Array, y: Array) -> None:
        self._source.packs(self.count, "widen", x, y, self.count)


class CastWeights:
    """Float32 weights in the type of the values that a kernel multiplies them with.

    They are converted at each call, since they may have changed.

    Args:
        of: the kernel; with float32 values, weights are not converted.
        count: of the weights.
    """

    def __init__(self, of: Kernel, count: int) -> None:
        self._of, self._count = of, count
        self._made: tuple[Convert, Array] | None = None

    def __call__(self, w: Array) -> Array:
        """The weights, in a buffer that the next call overwrites."""
        if not is_low_precision(self._of.dtype):
            return w
        if self._made is None:
            kernel = Convert.make(self._of.device, self._of.dtype, self._count)
            self._made = kernel, self._of.scratch((self._count,))
        kernel, rounded = self._made
        kernel.narrow(w, rounded)
        return rounded
