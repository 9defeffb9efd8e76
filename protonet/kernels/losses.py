"""Losses over single elements."""

from __future__ import annotations

from typing import Any

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels import native
from protonet.kernels.elementwise import sigmoid, softplus
from protonet.kernels.kernel import Kernel


class SquaredDistance(Kernel):
    """L = factor sum (a - b)^2 for two arrays of ``count`` elements in any shape."""

    def __init__(self, device: Device, dtype: Any, count: int) -> None:
        super().__init__(device, dtype)
        self._factor = self.scratch(())
        self._flat = (count,)

    def forward(self, a: Array, b: Array, difference: Array, loss: Array, factor: float) -> None:
        """Write a - b to the vector ``difference`` and the loss to the scalar ``loss``."""
        xp = self.xp
        xp.subtract(a.reshape(self._flat), b.reshape(self._flat), out=difference)
        xp.dot(difference, difference, out=loss)
        xp.multiply(loss, factor, out=loss)

    def spread(self, slope: Array, weight: Array, factor: float, dx: Array) -> None:
        """Write factor weight slope to ``dx``, with the scalar ``weight`` on the device."""
        self.xp.multiply(weight, factor, out=self._factor)
        self.xp.multiply(slope, self._factor, out=dx.reshape(self._flat))


class NativeSquaredDistance(SquaredDistance, processor="native"):
    """One pass, summed in double."""

    def __init__(self, device: Device, dtype: Any, count: int) -> None:
        super().__init__(device, dtype, count)
        self._module = native.load()

    def forward(self, a: Array, b: Array, difference: Array, loss: Array, factor: float) -> None:
        self._module.euclidean(a, b, difference, loss, factor)

    def spread(self, slope: Array, weight: Array, factor: float, dx: Array) -> None:
        self._module.weigh(slope, weight, dx, factor)


class SigmoidCrossEntropy(Kernel):
    """L = sum(log(1 + exp(x)) - x t) over the targets t that count; dx = w (sigmoid(x) - t).

    Args:
        count: of elements.
        ignored: targets that are this number when cut to a whole one do not count; None for none.
    """

    def __init__(self, device: Device, dtype: Any, count: int, ignored: int | None) -> None:
        super().__init__(device, dtype)
        self._flat, self.ignored = (count,), ignored
        self._terms: Array | None = None
        self._work: Array | None = None

    def forward(self, x: Array, t: Array, loss: Array, counted: Array) -> None:
        """Write the scalars ``loss`` and ``counted``, how many targets count."""
        xp, x, t = self.xp, x.reshape(self._flat), t.reshape(self._flat)
        if self._terms is None or self._work is None:
            self._terms, self._work = self.scratch(self._flat), self.scratch(self._flat)
        terms, work = self._terms, self._work
        softplus(xp, x, terms, work)
        xp.multiply(x, t, out=work)
        xp.subtract(terms, work, out=terms)
        if self.ignored is None:
            counted.fill(x.size)
        else:
            self._mark(t, work)
            xp.multiply(terms, work, out=terms)
            work.sum(out=counted)
        terms.sum(out=loss)

    def backward(self, x: Array, t: Array, weight: Array, dx: Array) -> None:
        """Write ``dx``, with the scalar ``weight`` on the device; 0 for what does not count."""
        xp, dx, t = self.xp, dx.reshape(self._flat), t.reshape(self._flat)
        sigmoid(xp, x.reshape(self._flat), dx)
        xp.subtract(dx, t, out=dx)
        if self.ignored is not None:
            if self._work is None:
                self._work = self.scratch(self._flat)
            self._mark(t, self._work)
            xp.multiply(dx, self._work, out=dx)
        xp.multiply(dx, weight, out=dx)

    def _mark(self, t: Array, counts: Array) -> None:
        """Write 1 for the targets that count, 0 for others."""
        self.xp.trunc(t, out=counts)
        self.xp.not_equal(counts, self.ignored, out=counts)


class NativeSigmoidCrossEntropy(SigmoidCrossEntropy, processor="native"):
    """One pass each, without scratch; summed in double."""

    def __init__(self, device: Device, dtype: Any, count: int, ignored: int | None) -> None:
        super().__init__(device, dtype, count, ignored)
        self._module = native.load()
        # nothing is equal to NaN
        self._never = float("nan") if ignored is None else float(ignored)

    def forward(self, x: Array, t: Array, loss: Array, counted: Array) -> None:
        self._module.sigmoid_cross_entropy(x, t, self._never, loss, counted)

    def backward(self, x: Array, t: Array, weight: Array, dx: Array) -> None:
        self._module.sigmoid_cross_entropy_back(x, t, self._never, weight, dx)
