"""GradientScale: the gradient times a number."""

from __future__ import annotations

from collections.abc import Sequence

from protonet.blob import Array, Shape
from protonet.layers.base import Layer, Traits
from protonet.layers.registry import register


@register("GradientScale")
class GradientScale(Layer):
    """y = x; dx = scale dy.

    With a scale of -1 it is the gradient reversal of domain adaptation (Ganin and Lempitsky, ICML
    2015); with 0 nothing before it learns from it.

    Bottom:
        x: any shape.
    Top:
        y: the shape of x. May be in place.
    Params:
        none.
    Spec:
        gradient_scale_param: scale (1).
    Raises:
        nothing of its own.
    Differs:
        Caffe has no such layer. It is Torch7's GradientReversal (nn), with the sign given.
    """

    traits = Traits(backward_reads=frozenset(), in_place=True)

    def setup(self) -> None:
        self.scale = self.spec.gradient_scale_param.scale

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        return [shapes[0]]

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        if tops[0] is not bottoms[0]:
            self.xp.copyto(tops[0], bottoms[0])

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is not None:
            self.xp.multiply(dtops[0], self.scale, out=dbottoms[0])
