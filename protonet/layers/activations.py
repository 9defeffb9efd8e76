"""Activations that bend smoothly: functions of single elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from protonet.blob import Array, Shape
from protonet.kernels.elementwise import (
    sigmoid,
    sigmoid_gradient,
    softplus,
    softplus_gradient,
    tanh_gradient,
)
from protonet.layers.base import Layer, Reads
from protonet.layers.registry import register


class Activation(Layer):
    """Base of the layers whose top has the shape of their bottom and may take its place."""

    backward_reads = frozenset({Reads.TOPS})
    in_place = True

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        return [shapes[0]]

    def build(self, shapes: Sequence[Shape]) -> None:
        self._slope: Array | None = None

    def slope(self, like: Array, dtype: Any = None) -> Array:
        """Scratch of a backward pass: made at the first one, since inference needs none."""
        if self._slope is None:
            self._slope = self.scratch(like.shape, dtype)
        return self._slope


@register("Sigmoid")
class Sigmoid(Activation):
    """y = 1 / (1 + exp(-x)), computed as 0.5 tanh(x / 2) + 0.5.

    Gradient: dx = dy y (1 - y).

    Bottom:
        x: any shape.
    Top:
        y: the shape of x, in (0, 1). May be in place.
    Params:
        none.
    Spec:
        sigmoid_param: engine is accepted and makes no difference.
    Raises:
        nothing of its own.
    Differs:
        not at all.
    """

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        sigmoid(self.xp, bottoms[0], tops[0])

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is not None:
            sigmoid_gradient(self.xp, tops[0], dtops[0], dbottoms[0], self.slope(dtops[0]))


@register("TanH")
class TanH(Activation):
    """y = tanh(x).

    Gradient: dx = dy (1 - y^2).

    Bottom:
        x: any shape.
    Top:
        y: the shape of x, in (-1, 1). May be in place.
    Params:
        none.
    Spec:
        tanh_param: engine is accepted and makes no difference.
    Raises:
        nothing of its own.
    Differs:
        not at all.
    """

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        self.xp.tanh(bottoms[0], out=tops[0])

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is not None:
            tanh_gradient(self.xp, tops[0], dtops[0], dbottoms[0], self.slope(dtops[0]))


@register("BNLL")
class BNLL(Activation):
    """y = log(1 + exp(x)), the binomial normal log likelihood, also called softplus.

    Gradient: dx = dy (1 - exp(-y)).

    Bottom:
        x: any shape.
    Top:
        y: the shape of x, above 0. May be in place.
    Params:
        none.
    Spec:
        no fields of its own.
    Raises:
        nothing of its own.
    Differs:
        not at all.
    """

    def build(self, shapes: Sequence[Shape]) -> None:
        super().build(shapes)
        self._positive = self.scratch(shapes[0])

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        softplus(self.xp, bottoms[0], tops[0], self._positive)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is not None:
            softplus_gradient(self.xp, tops[0], dtops[0], dbottoms[0], self.slope(dtops[0]))


@register("Swish")
class Swish(Activation):
    """y = x s(x), with s(x) = 1 / (1 + exp(-beta x)) (Ramachandran et al., 2017).

    Gradient: dx = dy (beta y + s(x) (1 - beta y)).

    Bottom:
        x: any shape.
    Top:
        y: the shape of x.
    Params:
        none.
    Spec:
        swish_param: beta (1).
    Raises:
        nothing of its own.
    Differs:
        not at all.
    """

    def setup(self) -> None:
        self.beta = self.spec.swish_param.beta

    def build(self, shapes: Sequence[Shape]) -> None:
        super().build(shapes)
        self._gate = self.scratch(shapes[0])

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, gate = self.xp, self._gate
        xp.multiply(bottoms[0], self.beta, out=gate)
        sigmoid(xp, gate, gate)
        xp.multiply(bottoms[0], gate, out=tops[0])

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is None:
            return
        xp, slope = self.xp, self.slope(dtops[0])
        # beta y + s (1 - beta y) = s + beta y (1 - s)
        xp.subtract(1.0, self._gate, out=slope)
        xp.multiply(slope, tops[0], out=slope)
        xp.multiply(slope, self.beta, out=slope)
        xp.add(slope, self._gate, out=slope)
        xp.multiply(dtops[0], slope, out=dbottoms[0])


@register("ELU")
class ELU(Activation):
    """y = x where x > 0, alpha (exp(x) - 1) elsewhere (Clevert et al., ICLR 2016).

    Gradient: dx = dy where x > 0, dy (y + alpha) elsewhere.

    Bottom:
        x: any shape.
    Top:
        y: the shape of x, above -alpha.
    Params:
        none.
    Spec:
        elu_param: alpha (1).
    Raises:
        nothing of its own.
    Differs:
        not at all.
    """

    def setup(self) -> None:
        self.alpha = self.spec.elu_param.alpha
        # The sign of y tells the sign of x unless a negative alpha makes both sides positive.
        if self.alpha < 0:
            self.backward_reads = frozenset({Reads.BOTTOMS, Reads.TOPS})

    def build(self, shapes: Sequence[Shape]) -> None:
        super().build(shapes)
        self._negative = self.scratch(shapes[0])

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, negative, y = self.xp, self._negative, tops[0]
        xp.minimum(bottoms[0], 0.0, out=negative)
        xp.expm1(negative, out=negative)
        xp.multiply(negative, self.alpha, out=negative)
        xp.maximum(bottoms[0], 0.0, out=y)
        xp.add(y, negative, out=y)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is None:
            return
        xp, slope, positive = self.xp, self.slope(dtops[0]), self._negative
        xp.greater(bottoms[0] if self.alpha < 0 else tops[0], 0.0, out=positive)
        # 1 where positive, y + alpha elsewhere: (y + alpha - 1) (1 - positive) + 1
        xp.add(tops[0], self.alpha - 1.0, out=slope)
        xp.subtract(1.0, positive, out=positive)
        xp.multiply(slope, positive, out=slope)
        xp.add(slope, 1.0, out=slope)
        xp.multiply(dtops[0], slope, out=dbottoms[0])
