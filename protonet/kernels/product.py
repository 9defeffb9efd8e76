"""Products of matrices: the three of a layer with weights, and those of a batch of matrices."""

from __future__ import annotations

from typing import Any

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels import native
from protonet.kernels.kernel import Kernel


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
    """Accumulates in place."""

    def __init__(
        self, device: Device, dtype: Any, rows: int, inputs: int, outputs: int, transposed: bool
    ) -> None:
        super().__init__(device, dtype, rows, inputs, outputs, transposed)
        self._multiply = native.load().multiply

    def forward(
        self, x: Array, w: Array, bias: Array | None, y: Array, *, rectify: bool = False
    ) -> None:
        self._multiply(
            x.reshape(self._x),
            False,
            w,
            not self.transposed,
            y.reshape(self._y),
            False,
            bias,
            rectify,
        )

    def accumulate(self, x: Array, w: Array, y: Array) -> None:
        self._multiply(
            x.reshape(self._x), False, w, not self.transposed, y.reshape(self._y), True, None, False
        )

    def backward(self, dy: Array, w: Array, dx: Array) -> None:
        self._multiply(
            dy.reshape(self._y), False, w, self.transposed, dx.reshape(self._x), False, None, False
        )

    def learn(self, dy: Array, x: Array, dw: Array, *, add: bool = True) -> None:
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
