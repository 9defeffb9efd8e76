"""Class-balanced losses of edge maps."""

from __future__ import annotations

import math
from collections.abc import Sequence

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.kernels.elementwise import sigmoid
from protonet.layers.base import Layer, Reads, Traits, shape_text
from protonet.layers.registry import register


@register("SigmoidCrossEntropyBalanceLoss")
class SigmoidCrossEntropyBalanceLoss(Layer):
    """L = sum_n (q_n P_n + p_n Q_n) / N, with P_n and Q_n the cross-entropies of item n where its
    target is 1 and where it is 0, p_n and q_n the fractions of these among both.

    So the few edges of an image weigh as much as the rest (Xie and Tu, Holistically-Nested Edge
    Detection, ICCV 2015). The cross-entropy of x and t is max(x, 0) - x t + log(1 + e^-|x|).
    Gradient: w c (sigmoid(x) - t) / N, with c the weight q_n or p_n, and w the loss weight.

    Bottom:
        0: x, N x ..., scores; 1: t, N x ..., as many values; others than 0 and 1 are left out. t
        gets no gradient.
    Top:
        L: scalar.
    Params:
        none.
    Spec:
        no fields of its own; loss_weight (1).
    Raises:
        LayerError: when items or values differ in number.
    Differs:
        Caffe 1.0 has no such layer; HED's fork does (sigmoid_cross_entropy_loss_layer.cpp, under
        the name SigmoidCrossEntropyLoss). Values that are left out get no gradient, where the fork
        gives them sigmoid(x) - t; an item without targets of 0 or 1 gives 0, in the fork NaN.
    """

    bottoms = (2, 2)
    tops = (0, 1)
    no_gradient = frozenset({1})
    traits = Traits(backward_reads=frozenset({Reads.BOTTOMS}))
    is_loss = True

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        x, t = shapes
        if not x or not t:
            raise LayerError("expected at least 1 axis, got a scalar", ("bottom", int(bool(x))))
        if x[0] != t[0] or math.prod(x) != math.prod(t):
            raise LayerError(
                f"expected a target for each value of {shape_text(x)}, got {shape_text(t)}",
                ("bottom", 1),
            )
        return [()]

    def build(self, shapes: Sequence[Shape]) -> None:
        self._flat = (shapes[0][0], math.prod(shapes[0][1:]))
        self._weights, self._part, self._term = (self.scratch(self._flat) for _ in range(3))
        self._edges, self._rest, self._all = (self.scratch((shapes[0][0], 1)) for _ in range(3))

    def _write_weights(self, t: Array) -> None:
        """Write the weight of each value: the fraction of the other class in its item, over N."""
        xp, weights, part = self.xp, self._weights, self._part
        xp.equal(t, 1, out=weights)
        xp.equal(t, 0, out=part)
        xp.sum(weights, axis=1, keepdims=True, out=self._edges)
        xp.sum(part, axis=1, keepdims=True, out=self._rest)
        xp.add(self._edges, self._rest, out=self._all)
        xp.maximum(self._all, 1, out=self._all)
        xp.multiply(self._all, max(1, self._flat[0]), out=self._all)
        xp.divide(self._edges, self._all, out=self._edges)
        xp.divide(self._rest, self._all, out=self._rest)
        xp.multiply(weights, self._rest, out=weights)
        xp.multiply(part, self._edges, out=part)
        xp.add(weights, part, out=weights)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, part, term = self.xp, self._part, self._term
        x, t = (bottom.reshape(self._flat) for bottom in bottoms)
        self._write_weights(t)
        xp.absolute(x, out=part)
        xp.negative(part, out=part)
        xp.exp(part, out=part)
        xp.log1p(part, out=part)
        xp.maximum(x, 0, out=term)
        xp.add(part, term, out=part)
        xp.multiply(x, t, out=term)
        xp.subtract(part, term, out=part)
        xp.multiply(part, self._weights, out=part)
        xp.sum(part, out=tops[0])

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is None:
            return
        xp, dx = self.xp, dbottoms[0].reshape(self._flat)
        x, t = (bottom.reshape(self._flat) for bottom in bottoms)
        sigmoid(xp, x, dx)
        xp.subtract(dx, t, out=dx)
        xp.multiply(dx, self._weights, out=dx)
        xp.multiply(dx, dtops[0], out=dx)
