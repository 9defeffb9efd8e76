"""Pad: a border around the values of a blob."""

from __future__ import annotations

from collections.abc import Sequence

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.layers.base import Layer, LowPrecision, Traits, shape_text
from protonet.layers.limits import check_numbers
from protonet.layers.registry import register

_PARAM = "pad_param"


@register("Pad")
class Pad(Layer):
    """y is x with a border of ``paddings`` values before and after each axis.

    Gradient: dx = dy without the border.

    Bottom:
        x: any shape but a scalar.
    Top:
        y: each extent of x plus its paddings.
    Params:
        none.
    Spec:
        pad_param: paddings (two for each axis: before and after), constant_values (0).
    Raises:
        LayerError: for a number of paddings other than two for each axis.
    Differs:
        BVLC Caffe has no such layer; this is the one of Synopsys' fork, which has no gradient.
    """

    traits = Traits(
        backward_reads=frozenset(),
        recomputable=True,
        low_precision=LowPrecision.WITH_BOTTOMS,
        in_kernels=True,
    )

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        shape, paddings = shapes[0], self.spec.pad_param.paddings
        if not shape or len(paddings) != 2 * len(shape):
            raise LayerError(
                f"expected two paddings for each axis of {shape_text(shape)}, "
                f"{2 * len(shape)}, got {len(paddings)}",
                (_PARAM, "paddings"),
                "before and after the first axis, before and after the second ...",
            )
        check_numbers(paddings, (_PARAM, "paddings"))
        return [
            tuple(extent + paddings[2 * i] + paddings[2 * i + 1] for i, extent in enumerate(shape))
        ]

    def build(self, shapes: Sequence[Shape]) -> None:
        before = self.spec.pad_param.paddings[::2]
        self._inside = tuple(
            slice(start, start + extent) for start, extent in zip(before, shapes[0], strict=True)
        )

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        tops[0].fill(self.spec.pad_param.constant_values)
        self.xp.copyto(tops[0][self._inside], bottoms[0])

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is not None:
            self.xp.copyto(dbottoms[0], dtops[0][self._inside])
