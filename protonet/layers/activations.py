"""Smooth activations: elementwise functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from protonet.blob import Array, Shape
from protonet.kernels import activations
from protonet.layers.base import Layer, LowPrecision, Reads, Traits
from protonet.layers.registry import register

BY_TOP = frozenset({Reads.TOPS})
"""The backward pass computes the slope from y."""
BY_BOTTOM = frozenset({Reads.BOTTOMS})
"""The backward pass computes the slope from x."""


class ElementwiseKernel(Protocol):
    """A kernel of an elementwise function."""

    def forward(self, x: Array, y: Array, /) -> None:
        """Write y."""

    def backward(self, dy: Array, seen: Array, dx: Array, /) -> None:
        """Write dx."""


class Activation(Layer):
    """Base of elementwise layers: the top has the shape of the bottom and may be in place."""

    traits = Traits(backward_reads=BY_TOP, in_place=True)

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        return [shapes[0]]


class KernelActivation(Activation):
    """Base of activations computed by a single kernel, which ``build`` makes.

    y = f(x), and dx is a function of dy and either y or x, by ``backward_reads``.
    """

    traits = replace(
        Activation.traits, low_precision=LowPrecision.WITH_BOTTOMS, in_kernels=True, pixels=True
    )
    _kernel: ElementwiseKernel

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        self._kernel.forward(bottoms[0], tops[0])

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is not None:
            seen = tops[0] if self.traits.backward_reads == BY_TOP else bottoms[0]
            self._kernel.backward(dtops[0], seen, dbottoms[0])


@register("Sigmoid")
class Sigmoid(KernelActivation):
    """y = 1 / (1 + exp(-x)), computed as 0.5 tanh(x / 2) + 0.5.

    Gradient: dx = dy y (1 - y).

    Bottom:
        x: any shape.
    Top:
        y: the shape of x, in (0, 1). May be in place.
    Params:
        none.
    Spec:
        sigmoid_param: engine is accepted and ignored.
    Raises:
        nothing of its own.
    Differs:
        not at all.
    """

    def build(self, shapes: Sequence[Shape]) -> None:
        self._kernel = activations.Sigmoid.make(self.device, self.dtype, shapes[0])


@register("TanH")
class TanH(KernelActivation):
    """y = tanh(x).

    Gradient: dx = dy (1 - y^2).

    Bottom:
        x: any shape.
    Top:
        y: the shape of x, in (-1, 1). May be in place.
    Params:
        none.
    Spec:
        tanh_param: engine is accepted and ignored.
    Raises:
        nothing of its own.
    Differs:
        not at all.
    """

    def build(self, shapes: Sequence[Shape]) -> None:
        self._kernel = activations.TanH.make(self.device, self.dtype, shapes[0])


@register("BNLL")
class BNLL(KernelActivation):
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
        self._kernel = activations.Softplus.make(self.device, self.dtype, shapes[0])


@register("Swish")
class Swish(KernelActivation):
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

    traits = replace(KernelActivation.traits, backward_reads=BY_BOTTOM)

    def setup(self) -> None:
        self.beta = self.spec.swish_param.beta

    def build(self, shapes: Sequence[Shape]) -> None:
        self._kernel = activations.Swish.make(self.device, self.dtype, shapes[0], self.beta)


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

    traits = replace(Activation.traits, low_precision=LowPrecision.WITH_BOTTOMS, in_kernels=True)

    def setup(self) -> None:
        self.alpha = self.spec.elu_param.alpha
        # y has the sign of x unless alpha is negative: then y is positive for negative x too.
        if self.alpha < 0:
            self.traits = replace(
                self.traits, backward_reads=frozenset({Reads.BOTTOMS, Reads.TOPS})
            )

    def build(self, shapes: Sequence[Shape]) -> None:
        self._kernel = activations.ELU.make(self.device, self.dtype, shapes[0], self.alpha)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        self._kernel.forward(bottoms[0], tops[0])

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is not None:
            sided = bottoms[0] if self.alpha < 0 else tops[0]
            self._kernel.backward(dtops[0], tops[0], sided, dbottoms[0])
