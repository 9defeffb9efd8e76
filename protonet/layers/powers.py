"""Elementwise powers, exponentials and logarithms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.kernels import powers
from protonet.layers.activations import BY_BOTTOM, Activation, KernelActivation
from protonet.layers.affine import NumberAffine
from protonet.layers.base import Kind, LowPrecision, Reads
from protonet.layers.registry import register


@register("Power")
class Power(Activation):
    """y = (shift + scale x) ^ power.

    Gradient: dx = dy power scale (shift + scale x) ^ (power - 1).

    Bottom:
        x: any shape.
    Top:
        y: the shape of x. May be in place; without a copy if power is 1.
    Params:
        none.
    Spec:
        power_param: power (1), scale (1), shift (0).
    Raises:
        LayerError: when scale is 0 and shift ^ power is not a real number.
    Differs:
        With shift 0, Caffe computes the gradient from y / x, which is NaN at x = 0; here it
        follows the formula.
    """

    traits = replace(
        Activation.traits, low_precision=LowPrecision.WITH_BOTTOMS, in_kernels=True, absorbs=True
    )

    def setup(self) -> None:
        spec = self.spec.power_param
        self.power, self.scale, self.shift = spec.power, spec.scale, spec.shift
        self.constant: float | None = None
        if self.power * self.scale == 0:
            self.constant = self._constant()
        kind, reads = None, frozenset[Reads]()
        if self.constant is None and self.power == 1:
            kind = Kind.LINEAR
        elif self.constant is None:
            kind, reads = Kind.POWER, BY_BOTTOM
        self.traits = replace(self.traits, backward_reads=reads, kind=kind)

    def affine(self) -> tuple[float, float | None]:
        return self.scale, self.shift or None

    @property
    def _exponent(self) -> float:
        """The power of the fused chain: only its last layer may have one other than 1."""
        last = [self, *(layer for layer in self.fused.layers if isinstance(layer, Power))][-1]
        return last.power

    def build(self, shapes: Sequence[Shape]) -> None:
        if self.constant is None:
            self._kernel = powers.Power.make(self.device, self.dtype, *self._made_for(shapes[0]))

    def _made_for(self, shape: Shape) -> tuple[Shape, float, float, float]:
        """The arguments of the kernel of the fused chain: shape, power, scale and shift."""
        scale, shift = self.scale, self.shift
        for layer in self.fused.layers:
            if isinstance(layer, NumberAffine):
                times, plus = layer.affine()
                times = 1.0 if times is None else times
                scale, shift = times * scale, times * shift + (plus or 0.0)
        return shape, self._exponent, scale, shift

    def _constant(self) -> float:
        """The value of all elements if y does not depend on x."""
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
        if self.constant is not None:
            tops[0].fill(self.constant)
        else:
            self._kernel.forward(bottoms[0], tops[0], rectify=self.fused.rectify)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is None:
            return
        if self.constant is not None:
            dbottoms[0].fill(0.0)
        else:
            y = tops[0] if self.fused.rectify else None
            self._kernel.backward(dtops[0], bottoms[0], dbottoms[0], y=y)


def _log_of_base(base: float, field: str) -> float:
    """The natural logarithm of a base, where -1 means e."""
    if base == -1:
        return 1.0
    if base <= 0:
        raise LayerError(f"expected a base above 0, or -1 for e, got {base:g}", (field, "base"))
    return math.log(base)


@register("Exp")
class Exp(KernelActivation):
    """y = base ^ (shift + scale x).

    Gradient: dx = dy y scale ln(base).

    Bottom:
        x: any shape.
    Top:
        y: the shape of x. May be in place.
    Params:
        none.
    Spec:
        exp_param: base (-1, which means e), scale (1), shift (0).
    Raises:
        LayerError: for a base that is neither -1 nor above 0.
    Differs:
        not at all.
    """

    traits = Activation.traits

    def setup(self) -> None:
        spec = self.spec.exp_param
        log_base = _log_of_base(spec.base, "exp_param")
        self._inner, self._outer = log_base * spec.scale, math.exp(log_base * spec.shift)

    def build(self, shapes: Sequence[Shape]) -> None:
        self._kernel = powers.Exponential.make(
            self.device, self.dtype, shapes[0], self._inner, self._outer
        )


@register("Log")
class Log(KernelActivation):
    """y = log(shift + scale x) to the given base.

    Gradient: dx = dy scale / ((shift + scale x) ln(base)).

    Bottom:
        x: any shape; where shift + scale x is 0 or less, y is -inf or NaN.
    Top:
        y: the shape of x.
    Params:
        none.
    Spec:
        log_param: base (-1, which means e), scale (1), shift (0).
    Raises:
        LayerError: for a base that is neither -1 nor above 0, or is 1.
    Differs:
        not at all.
    """

    traits = replace(Activation.traits, backward_reads=BY_BOTTOM)

    def setup(self) -> None:
        spec = self.spec.log_param
        self.scale, self.shift = spec.scale, spec.shift
        log_base = _log_of_base(spec.base, "log_param")
        if log_base == 0:
            raise LayerError("there is no logarithm to the base 1", ("log_param", "base"))
        self._factor = 1.0 / log_base

    def build(self, shapes: Sequence[Shape]) -> None:
        self._kernel = powers.Logarithm.make(
            self.device, self.dtype, shapes[0], self.scale, self.shift, self._factor
        )
