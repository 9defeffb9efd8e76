"""Elementwise losses."""

from __future__ import annotations

from typing import Any

import numpy as np

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels import native
from protonet.kernels.elementwise import sigmoid, softplus
from protonet.kernels.kernel import Kernel


class _Loss(Kernel):
    """A loss whose definition allocates scratch on demand."""

    def __init__(self, device: Device, dtype: Any) -> None:
        super().__init__(device, dtype)
        self._made: dict[str, Array] = {}

    def _work(self, name: str, shape: tuple[int, ...]) -> Array:
        if name not in self._made:
            self._made[name] = self.scratch(shape)
        return self._made[name]


class GradientScale(Kernel):
    """Dx = factor weight slope, for ``count`` elements in any shape."""

    def __init__(self, device: Device, dtype: Any, count: int) -> None:
        super().__init__(device, dtype)
        self._factor = self.scratch(())
        self._flat = (count,)

    def scale(self, slope: Array, weight: Array, factor: float, dx: Array) -> None:
        """Write ``dx``, with the scalar ``weight`` on the device."""
        self.xp.multiply(weight, factor, out=self._factor)
        self.xp.multiply(slope.reshape(self._flat), self._factor, out=dx.reshape(self._flat))


class NativeGradientScale(GradientScale, processor="native"):
    """One pass."""

    def scale(self, slope: Array, weight: Array, factor: float, dx: Array) -> None:
        native.load().weigh(slope, weight, dx, factor)


class SquaredDistance(Kernel):
    """L = factor sum (a - b)^2 for two arrays of ``count`` elements in any shape."""

    def __init__(self, device: Device, dtype: Any, count: int) -> None:
        super().__init__(device, dtype)
        self._flat = (count,)

    def forward(self, a: Array, b: Array, difference: Array, loss: Array, factor: float) -> None:
        """Write a - b to the vector ``difference`` and the loss to the scalar ``loss``."""
        xp = self.xp
        xp.subtract(a.reshape(self._flat), b.reshape(self._flat), out=difference)
        xp.dot(difference, difference, out=loss)
        xp.multiply(loss, factor, out=loss)


class NativeSquaredDistance(SquaredDistance, processor="native"):
    """One pass, summed in double."""

    def forward(self, a: Array, b: Array, difference: Array, loss: Array, factor: float) -> None:
        native.load().euclidean(a, b, difference, loss, factor)


class AbsoluteDistance(_Loss):
    """L = factor sum |a - b| for two arrays of ``count`` elements in any shape."""

    def __init__(self, device: Device, dtype: Any, count: int) -> None:
        super().__init__(device, dtype)
        self._flat = (count,)

    def forward(self, a: Array, b: Array, slope: Array, loss: Array, factor: float) -> None:
        """Write the sign of a - b to the vector ``slope`` and the loss to the scalar ``loss``."""
        xp, work = self.xp, self._work("work", self._flat)
        xp.subtract(a.reshape(self._flat), b.reshape(self._flat), out=work)
        xp.sign(work, out=slope)
        xp.absolute(work, out=work)
        work.sum(out=loss)
        xp.multiply(loss, factor, out=loss)


class SmoothL1(_Loss):
    """L = factor sum v f(u (a - b)), where f(d) is s d^2 / 2 for |d| < 1 / s, |d| - 1 / (2 s)
    beyond.

    Args:
        count: of elements.
        sharpness: s.
    """

    def __init__(self, device: Device, dtype: Any, count: int, sharpness: float) -> None:
        super().__init__(device, dtype)
        self._flat, self.sharpness = (count,), sharpness

    def forward(
        self,
        a: Array,
        b: Array,
        u: Array | None,
        v: Array | None,
        slope: Array,
        loss: Array,
        factor: float,
    ) -> None:
        """Write u v f' to the vector ``slope`` and the loss to the scalar ``loss``; without ``u``
        and ``v`` they are 1.
        """
        xp, d, work = self.xp, *(self._work(name, self._flat) for name in ("d", "work"))
        xp.subtract(a.reshape(self._flat), b.reshape(self._flat), out=d)
        if u is not None:
            xp.multiply(d, u.reshape(self._flat), out=d)
        xp.multiply(d, self.sharpness, out=slope)
        xp.maximum(slope, -1.0, out=slope)
        xp.minimum(slope, 1.0, out=slope)
        # f(d) = c (d - c / (2 s)) with c = f'(d).
        xp.multiply(slope, -0.5 / self.sharpness, out=work)
        xp.add(work, d, out=work)
        if v is not None:
            xp.multiply(slope, v.reshape(self._flat), out=slope)
        xp.dot(slope, work, out=loss)
        xp.multiply(loss, factor, out=loss)
        if u is not None:
            xp.multiply(slope, u.reshape(self._flat), out=slope)


class Contrastive(_Loss):
    """L = factor sum(y d^2 + (1 - y) max(margin - d, 0)^2), with d the length of an item's a - b.

    Args:
        items: pairs.
        length: values of an item.
        margin: the distance from which dissimilar pairs have no loss.
        legacy: whether the second term is max(margin - d^2, 0).
    """

    def __init__(
        self, device: Device, dtype: Any, items: int, length: int, margin: float, legacy: bool
    ) -> None:
        super().__init__(device, dtype)
        self._rows, self.margin, self.legacy = (items, length), margin, legacy

    # long: loss and slope share the distances, line by line of one formula
    def forward(
        self, a: Array, b: Array, y: Array, slope: Array, loss: Array, factor: float
    ) -> None:
        """Write half the gradient of the sum for a to ``slope`` and the loss to ``loss``.

        Any ``y`` whose integer part is not 0 means similar. The gradient divides by d +
        1e-4, as Caffe's does.
        """
        xp, slope, squares = self.xp, slope.reshape(self._rows), self._work("squares", self._rows)
        alike, far, gap, length, term = (
            self._work(name, (self._rows[0], 1))
            for name in ("alike", "far", "gap", "length", "term")
        )
        other = self._work("other", ())
        xp.subtract(a.reshape(self._rows), b.reshape(self._rows), out=slope)
        xp.multiply(slope, slope, out=squares)
        squares.sum(axis=1, out=length, keepdims=True)
        xp.trunc(y.reshape(alike.shape), out=alike)
        xp.not_equal(alike, 0.0, out=alike)
        xp.subtract(1.0, alike, out=far)
        xp.multiply(length, alike, out=term)
        term.sum(out=loss)
        if not self.legacy:
            xp.sqrt(length, out=length)
        xp.subtract(self.margin, length, out=gap)
        xp.maximum(gap, 0.0, out=gap)
        xp.multiply(gap, far, out=gap)
        if self.legacy:
            xp.copyto(term, gap)
        else:
            xp.multiply(gap, gap, out=term)
        term.sum(out=other)
        xp.add(loss, other, out=loss)
        xp.multiply(loss, factor, out=loss)
        # gap is 0 for similar pairs and beyond the margin.
        if self.legacy:
            xp.sign(gap, out=term)
        else:
            xp.add(length, 1e-4, out=term)
            xp.divide(gap, term, out=term)
        xp.subtract(alike, term, out=term)
        xp.multiply(slope, term, out=slope)


class Hinge(_Loss):
    """L = factor sum m, or factor sum m^2, with m = max(0, 1 - t x), where t is 1 for the label's
    class and -1 for others.

    Args:
        items: rows of x.
        classes: columns of x.
        squares: whether m is squared.
    """

    def __init__(self, device: Device, dtype: Any, items: int, classes: int, squares: bool) -> None:
        super().__init__(device, dtype)
        self._rows, self.squares = (items, classes), squares

    def forward(self, x: Array, labels: Array, slope: Array, loss: Array, factor: float) -> None:
        """Write the gradient of the sum to ``slope`` and the loss to the scalar ``loss``.

        ``labels`` are integers.
        """
        xp, slope = self.xp, slope.reshape(self._rows)
        t, terms = (self._work(name, self._rows) for name in ("t", "terms"))
        if "classes" not in self._made:
            numbers = np.arange(self._rows[1]).astype(self.dtype)
            self.device.put(numbers, self._work("classes", numbers.shape))
        xp.equal(labels.reshape(-1, 1), self._made["classes"], out=t)
        xp.multiply(t, -2.0, out=t)
        xp.add(t, 1.0, out=t)
        # from here on t has the opposite sign of the formula's
        xp.multiply(x.reshape(self._rows), t, out=terms)
        xp.add(terms, 1.0, out=terms)
        xp.maximum(terms, 0.0, out=terms)
        if self.squares:
            xp.multiply(terms, 2.0, out=slope)
            xp.multiply(terms, terms, out=terms)
        else:
            xp.sign(terms, out=slope)
        xp.multiply(slope, t, out=slope)
        terms.sum(out=loss)
        xp.multiply(loss, factor, out=loss)


class SigmoidCrossEntropy(_Loss):
    """L = sum(log(1 + exp(x)) - x t) over the valid targets t; dx = w (sigmoid(x) - t).

    Args:
        count: of elements.
        ignored: targets with this integer part are not valid; None: all are.
    """

    def __init__(self, device: Device, dtype: Any, count: int, ignored: int | None) -> None:
        super().__init__(device, dtype)
        self._flat, self.ignored = (count,), ignored

    def forward(self, x: Array, t: Array, loss: Array, counted: Array) -> None:
        """Write the scalars ``loss`` and ``counted``, the number of valid targets."""
        xp, x, t = self.xp, x.reshape(self._flat), t.reshape(self._flat)
        terms, work = (self._work(name, self._flat) for name in ("terms", "work"))
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
        """Write ``dx``, with the scalar ``weight`` on the device; 0 for invalid targets."""
        xp, dx, t = self.xp, dx.reshape(self._flat), t.reshape(self._flat)
        sigmoid(xp, x.reshape(self._flat), dx)
        xp.subtract(dx, t, out=dx)
        if self.ignored is not None:
            counts = self._work("work", self._flat)
            self._mark(t, counts)
            xp.multiply(dx, counts, out=dx)
        xp.multiply(dx, weight, out=dx)

    def _mark(self, t: Array, counts: Array) -> None:
        """Write 1 for valid targets, 0 for others."""
        self.xp.trunc(t, out=counts)
        self.xp.not_equal(counts, self.ignored, out=counts)


class NativeSigmoidCrossEntropy(SigmoidCrossEntropy, processor="native"):
    """One pass each, without scratch; summed in double."""

    def __init__(self, device: Device, dtype: Any, count: int, ignored: int | None) -> None:
        super().__init__(device, dtype, count, ignored)
        self._module = native.load()
        # NaN equals nothing
        self._never = float("nan") if ignored is None else float(ignored)

    def forward(self, x: Array, t: Array, loss: Array, counted: Array) -> None:
        self._module.sigmoid_cross_entropy(x, t, self._never, loss, counted)

    def backward(self, x: Array, t: Array, weight: Array, dx: Array) -> None:
        self._module.sigmoid_cross_entropy_back(x, t, self._never, weight, dx)
