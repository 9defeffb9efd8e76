"""Elementwise combinations of several arrays; concatenation and slicing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels import native
from protonet.kernels.kernel import STORED, Condition, Kernel

FEW_BOTTOMS = Condition("fewer than 256 bottoms", lambda _shape, count: count < 256)
"""So that the argmax fits into a byte."""


class Combine(Kernel):
    """Sums, products and maxima over ``count`` arrays of one shape."""

    winners: Any = np.int32
    """The dtype of the argmax."""

    def __init__(self, device: Device, dtype: Any, shape: tuple[int, ...], count: int) -> None:
        super().__init__(device, dtype)
        self._shape = shape
        self._made: dict[str, Array] = {}

    def add(self, a: Array, b: Array, out: Array) -> None:
        """Write a + b to ``out``, which may be one of them."""
        self.xp.add(a, b, out=out)

    def weighted_sum(
        self, xs: Sequence[Array], cs: Sequence[float], y: Array, *, rectify: bool = False
    ) -> None:
        """Write the sum of c x; here and below, with ``rectify`` negative values become 0."""
        xp = self.xp
        xp.multiply(xs[0], cs[0], out=y)
        for x, c in zip(xs[1:], cs[1:], strict=True):
            xp.add(y, x if c == 1 else xp.multiply(x, c, out=self._work("term")), out=y)
        if rectify:
            xp.maximum(y, 0.0, out=y)

    def scatter(
        self, dy: Array, y: Array | None, cs: Sequence[float], dxs: Sequence[Array]
    ) -> None:
        """Write c dy to every dx, no more than ``count``; with ``y``, dy counts as 0 where y is not
        above 0, and may be overwritten.
        """
        if y is not None:
            self.mask(dy, y)
        for c, dx in zip(cs, dxs, strict=True):
            self.xp.multiply(dy, c, out=dx)

    def mask(self, dy: Array, y: Array) -> None:
        """Zero ``dy`` where y is not above 0."""
        positive = self._work("mask", np.bool_)
        self.xp.greater(y, 0.0, out=positive)
        self.xp.multiply(dy, positive, out=dy)

    def product(self, xs: Sequence[Array], y: Array, *, rectify: bool = False) -> None:
        """Write the product."""
        xp = self.xp
        xp.multiply(xs[0], xs[1], out=y)
        for x in xs[2:]:
            xp.multiply(y, x, out=y)
        if rectify:
            xp.maximum(y, 0.0, out=y)

    def quotient(self, dy: Array, y: Array, x: Array, dx: Array) -> None:
        """Write dy y / x: the gradient of a product y for the factor x."""
        self.xp.divide(y, x, out=dx)
        self.xp.multiply(dx, dy, out=dx)

    def greatest(
        self, xs: Sequence[Array], y: Array, winner: Array, *, rectify: bool = False
    ) -> None:
        """Write the maximum to ``y`` and its argmax to ``winner``: of equal values the second
        array's wins over the first's, otherwise the earlier over the later.
        """
        xp, mask = self.xp, self._work("mask", np.bool_)
        xp.less_equal(xs[0], xs[1], out=winner)
        xp.maximum(xs[0], xs[1], out=y)
        for place, x in enumerate(xs[2:], 2):
            xp.greater(x, y, out=mask)
            xp.copyto(winner, place, where=mask)
            xp.maximum(y, x, out=y)
        if rectify:
            xp.maximum(y, 0.0, out=y)

    def greatest_back(self, dy: Array, winner: Array, place: int, dx: Array) -> None:
        """Write the gradient of the array at ``place``."""
        mask = self._work("mask", np.bool_)
        self.xp.equal(winner, place, out=mask)
        self.xp.multiply(dy, mask, out=dx)

    def _work(self, name: str, dtype: Any = None) -> Array:
        if name not in self._made:
            self._made[name] = self.scratch(self._shape, dtype)
        return self._made[name]


class NativeCombine(Combine, processor="native"):
    """One pass each."""

    dtypes = STORED

    winners = np.uint8

    requires = (FEW_BOTTOMS,)

    def __init__(self, device: Device, dtype: Any, shape: tuple[int, ...], count: int) -> None:
        super().__init__(device, dtype, shape, count)
        self._module = native.of(self.dtype)

    def add(self, a: Array, b: Array, out: Array) -> None:
        self._module.add(a, b, out)

    def weighted_sum(
        self, xs: Sequence[Array], cs: Sequence[float], y: Array, *, rectify: bool = False
    ) -> None:
        self._module.weighted_sum(xs, cs, y, rectify)

    def scatter(
        self, dy: Array, y: Array | None, cs: Sequence[float], dxs: Sequence[Array]
    ) -> None:
        self._module.scatter(dy, y, cs, dxs)

    def mask(self, dy: Array, y: Array) -> None:
        self._module.rectify_back(dy, y, dy, 0.0)

    def product(self, xs: Sequence[Array], y: Array, *, rectify: bool = False) -> None:
        self._module.product(xs, y, rectify)

    def greatest(
        self, xs: Sequence[Array], y: Array, winner: Array, *, rectify: bool = False
    ) -> None:
        self._module.greatest(xs, y, winner, rectify)

    def greatest_back(self, dy: Array, winner: Array, place: int, dx: Array) -> None:
        self._module.greatest_back(dy, winner, place, dx)


class Parts(Kernel):
    """The parts of one large array along an axis: rows of ``lengths`` elements side by side.

    Args:
        rows: repetitions of the parts: the product of the axes before.
        lengths: of each part's rows: its extent times the product of the axes after.
    """

    moves = True

    def __init__(self, device: Device, dtype: Any, rows: int, lengths: Sequence[int]) -> None:
        super().__init__(device, dtype)
        self.rows, self.lengths, self.whole = rows, tuple(lengths), sum(lengths)
        self.starts = [sum(self.lengths[:place]) for place in range(len(self.lengths))]

    def take(self, large: Array, place: int, part: Array) -> None:
        """Copy a part out of ``large``."""
        self.xp.copyto(part.reshape(self.rows, -1), self._view(large, place))

    def put(self, part: Array, place: int, large: Array) -> None:
        """Copy a part into ``large``."""
        self.xp.copyto(self._view(large, place), part.reshape(self.rows, -1))

    def _view(self, large: Array, place: int) -> Array:
        start = self.starts[place]
        rows = large.reshape(self.rows, self.whole)
        return rows[:, start : start + self.lengths[place]]


class NativeParts(Parts, processor="native"):
    """Strided copies of rows."""

    dtypes = STORED

    requires = (Condition("no empty part", lambda rows, lengths: rows * min(lengths) > 0),)

    def __init__(self, device: Device, dtype: Any, rows: int, lengths: Sequence[int]) -> None:
        super().__init__(device, dtype, rows, lengths)
        self._copy = native.of(self.dtype).copy_rows

    def take(self, large: Array, place: int, part: Array) -> None:
        length = self.lengths[place]
        self._copy(large, self.starts[place], self.whole, part, 0, length, self.rows, length)

    def put(self, part: Array, place: int, large: Array) -> None:
        length = self.lengths[place]
        self._copy(part, 0, length, large, self.starts[place], self.whole, self.rows, length)
