"""Products of matrices: the three of a layer with weights, and those of a batch of matrices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels import native
from protonet.kernels.convolution import Convolve, Stage
from protonet.kernels.kernel import STORED, Call, Kernel
from protonet.kernels.windows import Windows


class Product(Kernel):
    """Y = X W^T + b, dX = dY W, dW += dY^T X, for matrices of ``rows`` rows.

    Args:
        rows: of X (rows x inputs) and Y (rows x outputs).
        inputs: columns of X.
        outputs: columns of Y.
        transposed: whether W is stored as its transpose, inputs x outputs.
    """

    def __init__(
        self, device: Device, dtype: Any, rows: int, inputs: int, outputs: int, transposed: bool
    ) -> None:
        super().__init__(device, dtype)
        self.transposed = transposed
        self._x, self._y = (rows, inputs), (rows, outputs)
        self._w = (inputs, outputs) if transposed else (outputs, inputs)
        self._dw: Array | None = None
        self._more: Array | None = None

    @property
    def packing(self) -> Convolve | None:
        """The kernel that may keep the weights packed; None where there is none."""
        return None

    def call(self, x: Array, stage: Stage, y: Array) -> Call | None:
        """What ``forward`` calls with these arrays; None if that is not one function."""
        return None

    def forward(
        self, x: Array, w: Array, bias: Array | None, y: Array, *, rectify: bool = False
    ) -> None:
        """Write the product to ``y``; with ``rectify`` negative values become 0."""
        xp, out = self.xp, y.reshape(self._y)
        xp.matmul(x.reshape(self._x), w if self.transposed else w.T, out=out)
        if bias is not None:
            xp.add(out, bias, out=out)
        if rectify:
            xp.maximum(out, 0.0, out=out)

    def accumulate(self, x: Array, w: Array, y: Array) -> None:
        """Add the product to ``y``."""
        if self._more is None:
            self._more = self.scratch(self._y)
        xp, out = self.xp, y.reshape(self._y)
        xp.matmul(x.reshape(self._x), w if self.transposed else w.T, out=self._more)
        xp.add(out, self._more, out=out)

    def backward(self, dy: Array, w: Array, dx: Array) -> None:
        """Write the gradient of x to ``dx``."""
        self.xp.matmul(dy.reshape(self._y), w.T if self.transposed else w, out=dx.reshape(self._x))

    def learn(self, dy: Array, x: Array, dw: Array, *, add: bool = True) -> None:
        """Add the gradient of the weights to ``dw``, or write it there."""
        dy, x = dy.reshape(self._y), x.reshape(self._x)
        left, right = (x, dy) if self.transposed else (dy, x)
        if not add:
            self.xp.matmul(left.T, right, out=dw)
            return
        if self._dw is None:
            self._dw = self.scratch(self._w)
        self.xp.matmul(left.T, right, out=self._dw)
        self.xp.add(dw, self._dw, out=dw)


class NativeProduct(Product, processor="native"):
    """Accumulates in place; of bfloat16, as a convolution of images of one place."""

    dtypes = STORED
    instructions: ClassVar[Mapping[str, str]] = {"bfloat16": "avx512_bf16"}

    def __init__(
        self, device: Device, dtype: Any, rows: int, inputs: int, outputs: int, transposed: bool
    ) -> None:
        super().__init__(device, dtype, rows, inputs, outputs, transposed)
        self._multiply = native.load().multiply
        self._convolve: Convolve | None = None
        if self.dtype.itemsize == 2 and not transposed:
            one = Windows((1, 1), (1, 1), (1, 1), (0, 0), (1, 1), (1, 1))
            self._convolve = Convolve.make(device, dtype, one, rows, inputs, outputs, 1)

    @property
    def packing(self) -> Convolve | None:
        return self._convolve

    def call(self, x: Array, stage: Stage, y: Array) -> Call | None:
        if self._convolve is not None:
            return self._convolve.call(x, stage, y)
        if self.dtype.itemsize == 2:
            return None
        w, _, bias, rectify = stage
        given = (x.reshape(self._x), False, w, not self.transposed, y.reshape(self._y), False)
        return self._multiply, (*given, bias, rectify)

    def forward(
        self, x: Array, w: Array, bias: Array | None, y: Array, *, rectify: bool = False
    ) -> None:
        if self._convolve is not None:
            self._convolve.forward(x, w, bias, y, rectify=rectify)
            return
        if self.dtype.itemsize == 2:
            super().forward(x, w, bias, y, rectify=rectify)
            return
        call = self.call(x, Stage(w, None, bias, rectify), y)
        assert call is not None
        call[0](*call[1])

    def accumulate(self, x: Array, w: Array, y: Array) -> None:
        if self.dtype.itemsize == 2:
            super().accumulate(x, w, y)
            return
        self._multiply(
            x.reshape(self._x), False, w, not self.transposed, y.reshape(self._y), True, None, False
        )

    def backward(self, dy: Array, w: Array, dx: Array) -> None:
        if self._convolve is not None:
            self._convolve.backward(dy, w, dx)
            return
        if self.dtype.itemsize == 2:
            super().backward(dy, w, dx)
            return
        self._multiply(
            dy.reshape(self._y), False, w, self.transposed, dx.reshape(self._x), False, None, False
        )

    def learn(self, dy: Array, x: Array, dw: Array, *, add: bool = True) -> None:
        if self._convolve is not None:
            if not add:
                dw.fill(0.0)
            self._convolve.learn(dy, x, dw)
            return
        if self.dtype.itemsize == 2:
            super().learn(dy, x, dw, add=add)
            return
        dy, x = dy.reshape(self._y), x.reshape(self._x)
        left, right = (x, dy) if self.transposed else (dy, x)
        if x.size:
            self._multiply(left, True, right, False, dw, add, None, False)
        elif not add:
            dw.fill(0.0)


class BatchProduct(Kernel):
    """C = A B for each of ``batch`` matrices; a single matrix A or B is broadcast.

    Args:
        batch: the number of matrices.
        rows: of A and C.
        inner: columns of A, rows of B.
        columns: of B and C.
    """

    def __init__(
        self, device: Device, dtype: Any, batch: int, rows: int, inner: int, columns: int
    ) -> None:
        super().__init__(device, dtype)
        self.batch, self.rows, self.inner, self.columns = batch, rows, inner, columns

    def forward(
        self, a: Array, b: Array, c: Array, *, transpose_a: bool = False, transpose_b: bool = False
    ) -> None:
        """Write the product; ``transpose_a``, ``transpose_b``: it is stored as its transpose."""
        a, b = (
            (a.swapaxes(-1, -2) if transpose_a else a),
            (b.swapaxes(-1, -2) if transpose_b else b),
        )
        self.xp.matmul(a, b, out=c.reshape(self.batch, self.rows, self.columns))
