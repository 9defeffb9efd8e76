"""Products of matrices on a GPU."""

from __future__ import annotations

import math
from typing import Any

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels.cuda.convert import Rounded
from protonet.kernels.cuda.convolution_ways import After, finish
from protonet.kernels.cuda.gemm import gemm
from protonet.kernels.cuda.launch import MOST, TYPES, compiled
from protonet.kernels.kernel import When
from protonet.kernels.product import BatchProduct, Product


class CudaProduct(Product, processor="cuda"):
    """cuBLAS, and one pass for what follows the product."""

    types = TYPES

    when = (
        When("no empty matrix", lambda rows, inputs, outputs, _turned: rows * inputs * outputs > 0),
        When(
            "at most 2^31 - 1 elements in Y and in W",
            lambda rows, inputs, outputs, _turned: max(rows, inputs) * outputs <= MOST,
        ),
    )

    def __init__(
        self, device: Device, dtype: Any, rows: int, inputs: int, outputs: int, turned: bool
    ) -> None:
        super().__init__(device, dtype, rows, inputs, outputs, turned)
        self._gemm = gemm(device)
        self._source = compiled(device, "convolution", dtype)
        self._rounded = Rounded(self, inputs * outputs)
        self._extents = rows, inputs, outputs

    def forward(
        self, x: Array, w: Array, bias: Array | None, y: Array, *, rectify: bool = False
    ) -> None:
        rows, inputs, outputs = self._extents
        w = self._rounded(w)
        self._gemm.multiply(x, w, y, rows, outputs, inputs, b_turned=not self.turned)
        finish(self._source, y, After(None, bias, rectify), (rows, outputs, 1))

    def accumulate(self, x: Array, w: Array, y: Array) -> None:
        rows, inputs, outputs = self._extents
        w = self._rounded(w)
        self._gemm.multiply(x, w, y, rows, outputs, inputs, b_turned=not self.turned, add=True)

    def backward(self, dy: Array, w: Array, dx: Array) -> None:
        rows, inputs, outputs = self._extents
        w = self._rounded(w)
        self._gemm.multiply(dy, w, dx, rows, inputs, outputs, b_turned=self.turned)

    def learn(self, dy: Array, x: Array, dw: Array, *, add: bool = True) -> None:
        rows, inputs, outputs = self._extents
        if self.turned:
            self._gemm.multiply(x, dy, dw, inputs, outputs, rows, a_turned=True, add=add)
        else:
            self._gemm.multiply(dy, x, dw, outputs, inputs, rows, a_turned=True, add=add)


class CudaBatchProduct(BatchProduct, processor="cuda"):
    """One call of cuBLAS."""

    types = TYPES

    when = (When("no empty matrix", lambda *extents: math.prod(extents) > 0),)

    def __init__(
        self, device: Device, dtype: Any, batch: int, rows: int, inner: int, columns: int
    ) -> None:
        super().__init__(device, dtype, batch, rows, inner, columns)
        self._gemm = gemm(device)

    def forward(
        self, a: Array, b: Array, c: Array, *, a_turned: bool = False, b_turned: bool = False
    ) -> None:
        # a matrix that all share is met again after no elements
        self._gemm.multiply(
            a, b, c, self.rows, self.columns, self.inner, a_turned=a_turned, b_turned=b_turned,
            batch=self.batch,
            strides=(
                0 if a.ndim == 2 else self.rows * self.inner,
                0 if b.ndim == 2 else self.inner * self.columns,
                self.rows * self.columns,
            ),
        )  # fmt: skip
