"""What Embed does with rows on request: their norms are bounded, their gradients weighted."""

from __future__ import annotations

import numpy as np

from protonet.blob import Array, Shape
from protonet.kernels.rows import AddRows, take_rows
from protonet.layers.base import Layer

_TINY = 1e-7
"""What Torch7 adds to a norm before it divides (nn, lib/THNN/generic/LookupTable.c)."""


class BoundedRows:
    """Rows whose p-norm is above ``most`` are scaled to it, in the table too."""

    def __init__(self, layer: Layer, shape: Shape, most: float, p: float) -> None:
        self.xp, self.most, self.p = layer.xp, most, p
        self._work = layer.scratch(shape)
        self._norm, self._mask = (
            layer.scratch((shape[0], 1)),
            layer.scratch((shape[0], 1), np.bool_),
        )

    def bound(self, table: Array, rows: Array, y: Array) -> None:
        """Scale ``y``, the rows ``rows`` of ``table``, and the table's rows with them."""
        xp, norm = self.xp, self._norm
        xp.absolute(y, out=self._work)
        xp.power(self._work, self.p, out=self._work)
        self._work.sum(axis=1, keepdims=True, out=norm)
        xp.power(norm, 1 / self.p, out=norm)
        xp.less_equal(norm, self.most, out=self._mask)
        xp.add(norm, _TINY, out=norm)
        xp.divide(self.most, norm, out=norm)
        xp.copyto(norm, 1.0, where=self._mask)
        xp.multiply(y, norm, out=y)
        table[rows] = y


class WeightedRows:
    """Gradients of rows: none for the index ``padding``, and by ``mean`` divided by the number of
    times that the batch has the row.
    """

    def __init__(
        self, layer: Layer, shape: Shape, inputs: int, padding: int | None, mean: bool
    ) -> None:
        self.xp, self.padding, self.mean = layer.xp, padding, mean
        self._weighted = layer.scratch(shape)
        self._factor = layer.scratch((shape[0], 1))
        self._counts, self._ones = layer.scratch((inputs, 1)), layer.scratch((shape[0], 1))
        self._count = AddRows.make(layer.device, layer.dtype, shape[0], 1)

    def weigh(self, rows: Array, dy: Array) -> Array:
        """``dy``, weighted: scratch."""
        xp, factor = self.xp, self._factor
        factor.fill(1.0)
        if self.mean:
            self._ones.fill(1.0)
            self._counts.fill(0.0)
            self._count.add(self._counts, rows, self._ones)
            take_rows(xp, self._counts, rows, factor)
            xp.divide(1.0, factor, out=factor)
        if self.padding is not None:
            xp.not_equal(rows[:, None], self.padding, out=self._ones)
            xp.multiply(factor, self._ones, out=factor)
        xp.multiply(dy, factor, out=self._weighted)
        return self._weighted
