"""Layers that make few values of many: sums along axes, and where the greatest values are."""

from __future__ import annotations

import math
from collections.abc import Sequence

from protonet.blob import Array, Shape
from protonet.layers.base import Layer, Reads
from protonet.layers.registry import register
from protonet.proto.caffe_pb2 import ReductionParameter


@register("Reduction")
class Reduction(Layer):
    """y = coeff times the SUM, the sum of sizes (ASUM), of squares (SUMSQ), or the MEAN of x.

    Each value of y is made of the K values of x at the axes from ``axis`` on. Gradients:
    SUM: dx = coeff dy; MEAN: coeff dy / K; ASUM: coeff dy sign(x); SUMSQ: 2 coeff dy x.

    Bottom:
        x: any shape with the axis.
    Top:
        y: the axes of x before ``axis``; a scalar for axis 0, which may be a loss
        (``loss_weight``).
    Params:
        none.
    Spec:
        reduction_param: operation (SUM), axis (0; negative counts from the end), coeff (1).
    Raises:
        LayerError: for an axis that x has not.
    Differs:
        not at all.
    """

    def setup(self) -> None:
        spec = self.spec.reduction_param
        self.operation, self.coeff = spec.operation, spec.coeff
        self._curved = self.operation in (ReductionParameter.ASUM, ReductionParameter.SUMSQ)
        self.backward_reads = frozenset({Reads.BOTTOMS} if self._curved else ())

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        return [shapes[0][: self._axis(shapes[0])]]

    def build(self, shapes: Sequence[Shape]) -> None:
        axis = self._axis(shapes[0])
        count = math.prod(shapes[0][axis:])
        self._matrix = (math.prod(shapes[0][:axis]), count)
        mean = self.operation == ReductionParameter.MEAN
        self._factor = self.coeff / count if mean else self.coeff
        self._work = self.scratch(self._matrix) if self._curved else None
        self._slope = self.scratch((self._matrix[0], 1))

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, work = self.xp, self._work
        x, y = bottoms[0].reshape(self._matrix), tops[0].reshape(self._matrix[:1])
        if self.operation == ReductionParameter.ASUM:
            x = xp.absolute(x, out=work)
        elif self.operation == ReductionParameter.SUMSQ:
            x = xp.multiply(x, x, out=work)
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
        else:
            xp.copyto(dx, slope)

    def _axis(self, shape: Shape) -> int:
        return self.axis(shape, self.spec.reduction_param.axis, ("reduction_param", "axis"))
