"""Products of matrices on a GPU."""

from __future__ import annotations

import math
from typing import Any

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels.cuda.convert import CastWeights
from protonet.kernels.cuda.convolution_algorithms import Epilogue, apply_epilogue
from protonet.kernels.cuda.gemm import gemm
from protonet.kernels.cuda.launch import DTYPES, MOST, compiled
from protonet.kernels.kernel import Condition
from protonet.kernels.product import BatchProduct, Product


class CudaProduct(Product, processor="cuda"):
    """cuBLAS, and one pass for the epilogue."""

    dtypes = DTYPES

    requires = (
        Condition(
            "no empty matrix",
            lambda rows, inputs, outputs, _transposed: rows * inputs * outputs > 0,
        ),
        Condition(
            "at most 2^31 - 1 elements in Y and in W",
            lambda rows, inputs, outputs, _transposed: max(rows, inputs) * outputs <= MOST,
        ),
    )

    def __init__(
        self, device: Device, dtype: Any, rows: int, inputs: int, outputs: int, transposed: bool
    ) -> None:
        super().__init__(device, dtype, rows, inputs, outputs, transposed)
        self._gemm = gemm(device)
        self._source = compiled(device, "convolution", dtype)
        self._cast_weights = CastWeights(self, inputs * outputs)
        self._extents = rows, inputs, outputs

    def forward(
        self, x: Array, w: Array, bias: Array | None, y: Array, *, rectify: bool = False
    ) -> None:
        rows, inputs, outputs = self._extents
        w = self._cast_weights(w)
        self._gemm.multiply(x, w, y, rows, outputs, inputs, transpose_b=not self.transposed)
        apply_epilogue(self._source, y, Epilogue(None, bias, rectify), (rows, outputs, 1))

    def accumulate(self, x: Array, w: Array, y: Array) -> None:
        rows, inputs, outputs = self._extents
        w = self._cast_weights(w)
        self._gemm.multiply(
            x, w, y, rows, outputs, inputs, transpose_b=not self.transposed, add=True
        )

    def backward(self, dy: Array, w: Array, dx: Array) -> None:
        rows, inputs, outputs = self._extents
        w = self._cast_weights(w)
        self._gemm.multiply(dy, w, dx, rows, inputs, outputs, transpose_b=self.transposed)

    def learn(self, dy: Array, x: Array, dw: Array, *, add: bool = True) -> None:
        rows, inputs, outputs = self._extents
        if self.transposed:
            self._gemm.multiply(x, dy, dw, inputs, outputs, rows, transpose_a=True, add=add)
        else:
            self._gemm.multiply(dy, x, dw, outputs, inputs, rows, transpose_a=True, add=add)


class CudaBatchProduct(BatchProduct, processor="cuda"):
    """One call of cuBLAS."""

    dtypes = DTYPES

    requires = (Condition("no empty matrix", lambda *extents: math.prod(extents) > 0),)

    def __init__(
        self, device: Device, dtype: Any, batch: int, rows: int, inner: int, columns: int
    ) -> None:
        super().__init__(device, dtype, batch, rows, inner, columns)
        self._gemm = gemm(device)

    def forward(
        self, a: Array, b: Array, c: Array, *, transpose_a: bool = False, transpose_b: bool = False
    ) -> None:
        # a broadcast matrix has a stride of 0
        self._gemm.multiply(
            a, b, c, self.rows, self.columns, self.inner,
            transpose_a=transpose_a, transpose_b=transpose_b,
            batch=self.batch,
            strides=(
                0 if a.ndim == 2 else self.rows * self.inner,
                0 if b.ndim == 2 else self.inner * self.columns,
                self.rows * self.columns,
            ),
        )  # fmt: skip
