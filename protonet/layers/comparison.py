"""Compare: 1 where a comparison holds."""

from __future__ import annotations

from collections.abc import Sequence

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.layers.base import Layer, Traits, shape_text
from protonet.layers.registry import register
from protonet.proto.caffe_pb2 import CompareParameter

_FUNCTIONS = {
    CompareParameter.EQ: "equal",
    CompareParameter.NE: "not_equal",
    CompareParameter.LT: "less",
    CompareParameter.LE: "less_equal",
    CompareParameter.GT: "greater",
    CompareParameter.GE: "greater_equal",
}


@register("Compare")
class Compare(Layer):
    """y = 1 where the comparison of x with a value, or with a second bottom, holds, else 0.

    There is no gradient.

    Bottom:
        x: any shape.
        other (optional): the shape of x.
    Top:
        y: the shape of x.
    Params:
        none.
    Spec:
        compare_param: operation (EQ), value (0), for one bottom.
    Raises:
        LayerError: for bottoms of different shapes, or a loss_weight.
    Differs:
        Caffe has no such layer; Threshold is its GT with a value.
    """

    bottoms = (1, 2)
    no_gradient = frozenset({0, 1})
    traits = Traits(backward_reads=frozenset(), in_place=True, recomputable=True)

    def setup(self) -> None:
        given = self.spec.compare_param
        self._function = _FUNCTIONS[given.operation]
        self._value = given.value
        if any(self.spec.loss_weight):
            raise LayerError(
                "a comparison has no gradient and cannot be part of the objective",
                ("loss_weight",),
            )

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        if len(set(shapes)) > 1:
            raise LayerError(
                f"expected bottoms of one shape, got {' and '.join(map(shape_text, shapes))}",
                ("bottom", 1),
            )
        return [shapes[0]]

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        other = bottoms[1] if len(bottoms) > 1 else self._value
        getattr(self.xp, self._function)(bottoms[0], other, out=tops[0])

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        """Nothing: no bottom has a gradient."""
