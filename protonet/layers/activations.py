"""Activations: functions of single elements."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.kernels.elementwise import sigmoid, sigmoid_gradient, tanh_gradient
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


@register("Power")
class Power(Activation):
    """y = (shift + scale x) ^ power.

    Gradient: dx = dy power scale (shift + scale x) ^ (power - 1).

    Bottom:
        x: any shape.
    Top:
        y: the shape of x. In place at no cost where power is 1.
    Params:
        none.
    Spec:
        power_param: power (1), scale (1), shift (0).
    Raises:
        LayerError: when scale is 0 and shift ^ power is not a real number.
    Differs:
        With shift 0, Caffe computes the gradient from y / x, which is NaN at x = 0; here it is
        what the formula says.
    """

    def setup(self) -> None:
        spec = self.spec.power_param
        self.power, self.scale, self.shift = spec.power, spec.scale, spec.shift
        self.constant: float | None = None
        if self.power * self.scale == 0:
            self.constant = self._constant()
        needs_bottom = self.constant is None and self.power != 1
        self.backward_reads = frozenset({Reads.BOTTOMS} if needs_bottom else ())

    def _constant(self) -> float:
        """The value of every element where x does not matter."""
        if self.power == 0:
            return 1.0
        try:
            return math.pow(self.shift, self.power)
        except (ValueError, ZeroDivisionError, OverflowError):
            raise LayerError(
                f"with scale 0 every value would be shift ^ power = {self.shift:g} ^ "
                f"{self.power:g}, which is not a finite real number",
                ("power_param",),
                "give a scale other than 0, or a positive shift",
            ) from None

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, y = self.xp, tops[0]
        if self.constant is not None:
            y.fill(self.constant)
            return
        self._base(bottoms[0], y)
        if self.power == 2:
            xp.multiply(y, y, out=y)
        elif self.power != 1:
            xp.power(y, self.power, out=y)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        xp, dy, dx = self.xp, dtops[0], dbottoms[0]
        if dx is None:
            return
        if self.constant is not None:
            dx.fill(0.0)
            return
        if self.power == 1:
            xp.multiply(dy, self.scale, out=dx)
            return
        slope = self.slope(dy)
        self._base(bottoms[0], slope)
        if self.power != 2:
            xp.power(slope, self.power - 1, out=slope)
        xp.multiply(slope, self.power * self.scale, out=slope)
        xp.multiply(dy, slope, out=dx)

    def _base(self, x: Array, out: Array) -> None:
        """Write shift + scale x to ``out``."""
        self.xp.multiply(x, self.scale, out=out)
        if self.shift != 0:
            self.xp.add(out, self.shift, out=out)


@register("ReLU")
class ReLU(Activation):
    """y = max(x, 0) + negative_slope min(x, 0).

    Gradient: dx = dy where x > 0, negative_slope dy elsewhere.

    Bottom:
        x: any shape.
    Top:
        y: the shape of x. In place at no cost unless negative_slope is below 0.
    Params:
        none.
    Spec:
        relu_param: negative_slope (0); engine is accepted and makes no difference.
    Raises:
        nothing of its own.
    Differs:
        not at all.
    """

    def setup(self) -> None:
        self.negative_slope = self.spec.relu_param.negative_slope
        # The sign of y tells the sign of x unless a negative slope makes both sides positive.
        reads = Reads.TOPS if self.negative_slope >= 0 else Reads.BOTTOMS
        self.backward_reads = frozenset({reads})

    def build(self, shapes: Sequence[Shape]) -> None:
        super().build(shapes)
        self._negative = self.scratch(shapes[0]) if self.negative_slope != 0 else None

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, x, y, negative = self.xp, bottoms[0], tops[0], self._negative
        if negative is None:
            xp.maximum(x, 0.0, out=y)
            return
        xp.minimum(x, 0.0, out=negative)
        xp.multiply(negative, self.negative_slope, out=negative)
        xp.maximum(x, 0.0, out=y)
        xp.add(y, negative, out=y)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        xp, dy, dx = self.xp, dtops[0], dbottoms[0]
        if dx is None:
            return
        sided = tops[0] if self.negative_slope >= 0 else bottoms[0]
        if self.negative_slope == 0:
            positive = self.slope(dy, np.bool_)
            xp.greater(sided, 0.0, out=positive)
            xp.multiply(dy, positive, out=dx)
            return
        slope = self.slope(dy)
        xp.greater(sided, 0.0, out=slope)
        xp.multiply(slope, 1.0 - self.negative_slope, out=slope)
        xp.add(slope, self.negative_slope, out=slope)
        xp.multiply(dy, slope, out=dx)


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
