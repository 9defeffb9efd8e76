"""Reductions: sums, means and extremes along axes, and argmax."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.layers.base import Layer, Reads, Traits
from protonet.layers.registry import register
from protonet.proto.caffe_pb2 import ReductionParameter


@register("Reduction")
class Reduction(Layer):
    """y = coeff times the SUM, the sum of absolute values (ASUM), of squares (SUMSQ), the MEAN, the
    largest (MAX) or the smallest (MIN) of x.

    Each value of y is computed from the K values of x at ``num_axes`` axes from ``axis`` on.
    Gradients: SUM: dx = coeff dy; MEAN: coeff dy / K; ASUM: coeff dy sign(x); SUMSQ: 2 coeff dy x;
    MAX and MIN: coeff dy where x is the first of the largest or smallest, else 0.

    Bottom:
        x: any shape with the axes.
    Top:
        y: the axes of x that are not reduced; a scalar for axis 0, which may be a loss
        (``loss_weight``).
    Params:
        none.
    Spec:
        reduction_param: operation (SUM), axis (0; negative counts from the end), num_axes (-1: all
        that follow), coeff (1).
    Raises:
        LayerError: for an axis or a number of axes out of range.
    Differs:
        Caffe has neither num_axes nor MAX and MIN, which are NaN where a value is NaN. Of no
        values, all operations give 0.
    """

    def setup(self) -> None:
        spec = self.spec.reduction_param
        self.operation, self.coeff = spec.operation, spec.coeff
        self._curved = self.operation in (ReductionParameter.ASUM, ReductionParameter.SUMSQ)
        self._extreme = self.operation in (ReductionParameter.MAX, ReductionParameter.MIN)
        self.traits = replace(
            self.traits, backward_reads=frozenset({Reads.BOTTOMS} if self._curved else ())
        )

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        first, end = self.axes_of(shapes[0])
        return [(*shapes[0][:first], *shapes[0][end:])]

    def build(self, shapes: Sequence[Shape]) -> None:
        first, end = self.axes_of(shapes[0])
        inner = (math.prod(shapes[0][end:]),) if end < len(shapes[0]) else ()
        outer, count = math.prod(shapes[0][:first]), math.prod(shapes[0][first:end])
        self._matrix, self._rows = (outer, count, *inner), (outer, *inner)
        mean = self.operation == ReductionParameter.MEAN
        self._factor = self.coeff / max(count, 1) if mean else self.coeff
        part = self.random.part
        if first == 0 and part is not None and not (mean or self._extreme):
            self._factor /= part.fraction  # losses of ranks are averaged by their shares
        self._work = self.scratch(self._matrix) if self._curved else None
        self._slope = self.scratch((outer, 1, *inner))
        if self._extreme:
            self._winners = Winners(self, self._matrix)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, work = self.xp, self._work
        x, y = bottoms[0].reshape(self._matrix), tops[0].reshape(self._rows)
        if self.operation == ReductionParameter.ASUM:
            x = xp.absolute(x, out=work)
        elif self.operation == ReductionParameter.SUMSQ:
            x = xp.multiply(x, x, out=work)
        if self._extreme and not x.size:
            y.fill(0)
        elif self._extreme:
            (x.max if self.operation == ReductionParameter.MAX else x.min)(axis=1, out=y)
            if self.gradients:
                self._winners.find(x, y)
        else:
            x.sum(axis=1, out=y)
        if self._factor != 1:
            xp.multiply(y, self._factor, out=y)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is None:
            return
        xp, slope = self.xp, self._slope
        x, dx = bottoms[0].reshape(self._matrix), dbottoms[0].reshape(self._matrix)
        squares = self.operation == ReductionParameter.SUMSQ
        factor = 2 * self._factor if squares else self._factor
        xp.multiply(dtops[0].reshape(slope.shape), factor, out=slope)
        if squares:
            xp.multiply(x, slope, out=dx)
        elif self.operation == ReductionParameter.ASUM:
            xp.sign(x, out=dx)
            xp.multiply(dx, slope, out=dx)
        elif self._extreme:
            xp.multiply(self._winners.mark(), slope, out=dx)
        else:
            xp.copyto(dx, slope)

    def axes_of(self, shape: Shape) -> tuple[int, int]:
        """The first axis that is reduced, and the one after the last."""
        param = self.spec.reduction_param
        first = self.axis(shape, param.axis, ("reduction_param", "axis"))
        left = len(shape) - first
        if param.num_axes != -1 and not 1 <= param.num_axes <= left:
            raise LayerError(
                f"expected 1 <= num_axes <= {left}, the axes from axis {first} on, or -1 for all, "
                f"got {param.num_axes}",
                ("reduction_param", "num_axes"),
            )
        return first, first + left if param.num_axes == -1 else first + param.num_axes


class Winners:
    """Where the first of equal values is, along axis 1 of a matrix."""

    def __init__(self, layer: Layer, matrix: Shape) -> None:
        outer, count, *inner = matrix
        self._xp = layer.xp
        self._wins = layer.scratch(matrix, np.bool_)
        self._hits = layer.scratch(matrix)
        self._place = layer.scratch((outer, 1, *inner))
        # From the last to the first: the largest place is the first value. 0 is no place.
        self._places = layer.scratch((1, count, *(1 for _ in inner)))
        values = np.arange(count, 0, -1).reshape(self._places.shape)
        layer.device.put_lazily(lambda: values.astype(layer.dtype), self._places)

    def find(self, x: Array, y: Array) -> None:
        """Find the first value of each row of ``x`` that is the ``y`` of the row."""
        xp = self._xp
        xp.equal(x, y.reshape(self._place.shape), out=self._wins)
        xp.multiply(self._wins, self._places, out=self._hits)
        self._hits.max(axis=1, out=self._place, keepdims=True)

    def mark(self) -> Array:
        """True at each place that was found: scratch."""
        return self._xp.equal(self._places, self._place, out=self._wins)


@register("ArgMax")
class ArgMax(Layer):
    """The indices of the top_k largest values, or the values themselves, largest first.

    Of equal values the one with the larger index comes first. There is no gradient.

    Bottom:
        x: any shape; without ``axis`` at least 1 axis.
    Top:
        with ``axis``: as x, with extent top_k there: indices, or with out_max_val values.
        Without: N x 1 x top_k indices into the values of an item, or with out_max_val
        N x 2 x top_k, indices and then values; with as many axes as x has, where it has more.
    Params:
        none.
    Spec:
        argmax_param: out_max_val (false), top_k (1), axis (none; negative counts from the end).
    Raises:
        LayerError: for an axis out of range, a top_k that is not 1 to the count of values, or
        a loss_weight.
    Differs:
        Where a value is NaN, the index is -1; in Caffe it may be any.
    """

    no_gradient = frozenset({0})
    traits = Traits(backward_reads=frozenset())

    def setup(self) -> None:
        spec = self.spec.argmax_param
        self.top_k, self.values = spec.top_k, spec.out_max_val
        self.along_axis = spec.HasField("axis")
        if any(self.spec.loss_weight):
            raise LayerError(
                "the index of a maximum has no gradient and cannot be part of the objective",
                ("loss_weight",),
            )

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        shape = shapes[0]
        count = self.matrix_of(shape)[1]
        if not 1 <= self.top_k <= count:
            raise LayerError(
                f"expected 1 <= top_k <= {count}, the number of values, got {self.top_k}",
                ("argmax_param", "top_k"),
            )
        if self.along_axis:
            axis = self.axis_of(shape)
            return [(*shape[:axis], self.top_k, *shape[axis + 1 :])]
        return [(shape[0], 2 if self.values else 1, self.top_k, *(1,) * (len(shape) - 3))]

    def build(self, shapes: Sequence[Shape]) -> None:
        self._matrix = items, count, inner = self.matrix_of(shapes[0])
        self._value = self.scratch((items, 1, inner))
        self._index = self.scratch((items, 1, inner))
        self._wins = self.scratch(self._matrix, np.bool_)
        self._hits = self.scratch(self._matrix)
        # Counted from 1: 0 is not an index.
        self._places = self.scratch((1, count, 1))
        self.device.put_lazily(lambda: np.arange(1, count + 1).astype(self.dtype), self._places)
        several = self.top_k > 1
        self._left = (self.scratch(self._matrix), self.scratch(self._matrix)) if several else None
        self._kinds = [self._index, self._value] if self.values else [self._index]
        if self.along_axis:
            self._kinds = self._kinds[-1:]

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, wins, value, index = self.xp, self._wins, self._value, self._index
        x, places = bottoms[0].reshape(self._matrix), self._places
        if self._left is not None:
            xp.copyto(self._left[0], x)
            xp.copyto(self._left[1], places)
            x, places = self._left
        items, _, inner = self._matrix
        top = tops[0].reshape(items, len(self._kinds), self.top_k, inner)
        for k in range(self.top_k):
            x.max(axis=1, out=value, keepdims=True)
            xp.equal(x, value, out=wins)
            xp.multiply(wins, places, out=self._hits)
            self._hits.max(axis=1, out=index, keepdims=True)
            if self._left is not None:
                # A taken value has no index, so it is not taken again, even before -inf.
                xp.equal(places, index, out=wins)
                xp.copyto(x, -xp.inf, where=wins)
                xp.copyto(places, 0.0, where=wins)
            xp.subtract(index, 1.0, out=index)
            for row, kind in enumerate(self._kinds):
                xp.copyto(top[:, row, k], kind[:, 0])

    def matrix_of(self, shape: Shape) -> tuple[int, int, int]:
        """Items x values x elements after the axis."""
        if self.along_axis:
            axis = self.axis_of(shape)
            return math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])
        if not shape:
            raise LayerError("expected at least 1 axis, got a scalar", ("bottom", 0))
        return shape[0], math.prod(shape[1:]), 1

    def axis_of(self, shape: Shape) -> int:
        return self.axis(shape, self.spec.argmax_param.axis, ("argmax_param", "axis"))
