"""LpNormalization: vectors of length 1."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.layers.base import Layer, Reads, Traits
from protonet.layers.registry import register

_PARAM = "lp_normalization_param"


@register("LpNormalization")
class LpNormalization(Layer):
    """y = x / n with n = (sum |x|^p + eps)^(1/p) along ``axis``; for p = inf, n = max |x| + eps.

    Gradient: dx = dy / n - s sum(x dy) / n^(p + 1), with s = x for p = 2, x |x|^(p - 2) above, and
    x (|x| + eps)^(p - 2) below; for p = inf the first of the largest has the second term alone,
    sign(x) sum(x dy) / n^2.

    Bottom:
        x: any shape.
    Top:
        y: the shape of x.
    Params:
        none.
    Spec:
        lp_normalization_param: axis (1), p (2; inf is the largest value), eps (1e-10).
    Raises:
        LayerError: for an axis out of range, a p of 0 or less, or an eps below 0.
    Differs:
        Caffe has no such layer. It is Torch7's Normalize (nn).
    """

    traits = Traits(backward_reads=frozenset({Reads.BOTTOMS}))

    def setup(self) -> None:
        param = self.spec.lp_normalization_param
        self.p, self.eps = param.p, param.eps
        if not self.p > 0:
            raise LayerError(f"expected p above 0, got {self.p:g}", (_PARAM, "p"))
        if not 0 <= self.eps < math.inf:
            raise LayerError(f"expected eps of 0 or more, got {self.eps:g}", (_PARAM, "eps"))

    def axis_of(self, shape: Shape) -> int:
        return self.axis(shape, self.spec.lp_normalization_param.axis, (_PARAM, "axis"))

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        self.axis_of(shapes[0])
        return [shapes[0]]

    def build(self, shapes: Sequence[Shape]) -> None:
        shape, axis = shapes[0], self.axis_of(shapes[0])
        self._seen = (math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :]))
        one = (self._seen[0], 1, self._seen[2])
        self._norm, self._sum = self.scratch(one), self.scratch(one)
        self._work, self._slope = self.scratch(self._seen), self.scratch(self._seen)
        # n, n - 1, ..., 1: of equal values the first has the largest
        self._ranks = self.scratch((1, shape[axis], 1))
        self.device.put_lazily(
            lambda: np.arange(shape[axis], 0, -1).astype(self.dtype)[None, :, None], self._ranks
        )

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, norm, work = self.xp, self._norm, self._work
        x = bottoms[0].reshape(self._seen)
        xp.absolute(x, out=work)
        if self.p == math.inf:
            work.max(axis=1, keepdims=True, out=norm)
            xp.add(norm, self.eps, out=norm)
        else:
            if self.p == 2:
                xp.multiply(work, work, out=work)
            elif self.p != 1:
                xp.power(work, self.p, out=work)
            work.sum(axis=1, keepdims=True, out=norm)
            xp.add(norm, self.eps, out=norm)
            if self.p != 1:
                xp.power(norm, 1 / self.p, out=norm)
        xp.divide(x, norm, out=tops[0].reshape(self._seen))

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is None:
            return
        xp, norm, total, slope = self.xp, self._norm, self._sum, self._slope
        x, dy, dx = (each.reshape(self._seen) for each in (bottoms[0], dtops[0], dbottoms[0]))
        xp.multiply(x, dy, out=self._work)
        self._work.sum(axis=1, keepdims=True, out=total)
        xp.divide(total, norm, out=total)
        self._write_slope(x, slope)
        xp.multiply(slope, total, out=slope)
        xp.subtract(dy, slope, out=dx)
        xp.divide(dx, norm, out=dx)

    def _write_slope(self, x: Array, slope: Array) -> None:
        """Write dn / dx = s n^(1 - p)."""
        xp, p = self.xp, self.p
        xp.absolute(x, out=slope)
        if p == math.inf:
            self._write_first(slope)
            xp.sign(x, out=self._work)
            xp.multiply(slope, self._work, out=slope)
            return
        if p == 2:
            xp.divide(x, self._norm, out=slope)
            return
        if p < 2:
            xp.add(slope, self.eps, out=slope)
        xp.power(slope, p - 2, out=slope)
        xp.multiply(slope, x, out=slope)
        xp.power(self._norm, 1 - p, out=self._work[:, :1])
        xp.multiply(slope, self._work[:, :1], out=slope)

    def _write_first(self, values: Array) -> None:
        """Write 1 for the first of the largest values, 0 for others."""
        xp, largest = self.xp, self._work[:, :1]
        for _ in range(2):
            values.max(axis=1, keepdims=True, out=largest)
            xp.equal(values, largest, out=values)
            xp.multiply(values, self._ranks, out=values)
        xp.minimum(values, 1.0, out=values)
