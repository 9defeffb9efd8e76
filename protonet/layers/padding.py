"""Pad: a border around the values of a blob, or fewer of them."""

from __future__ import annotations

from collections.abc import Sequence

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.layers.base import Layer, LowPrecision, Traits, shape_text
from protonet.layers.registry import register

_PARAM = "pad_param"


@register("Pad")
class Pad(Layer):
    """y is x with a border of ``paddings`` values before and after each axis; a negative padding
    cuts values off.

    Gradient: dx = dy without the border, and 0 where values are cut off.

    Bottom:
        x: any shape but a scalar.
    Top:
        y: each extent of x plus its paddings.
    Params:
        none.
    Spec:
        pad_param: paddings (two for each axis: before and after), constant_values (0).
    Raises:
        LayerError: for a number of paddings other than two for each axis, or those that cut off all
        values of an axis.
    Differs:
        BVLC Caffe has no such layer; this is the one of Synopsys' fork, which has no gradient and
        no negative paddings.
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
        for axis, extent in enumerate(shape):
            before, after = self._ends(axis)
            if min(before, 0) + min(after, 0) <= -extent:
                raise LayerError(
                    f"paddings {before} and {after} cut off all values of axis {axis}, which has "
                    f"{extent}",
                    (_PARAM, "paddings", 2 * axis),
                )
        return [tuple(extent + sum(self._ends(axis)) for axis, extent in enumerate(shape))]

    def build(self, shapes: Sequence[Shape]) -> None:
        (top,) = self.infer(shapes)
        ends = [self._ends(axis) for axis in range(len(top))]
        # The values that x and y have in common, in y and in x; in one of them they may be all.
        self._inside = _inner([(max(a, 0), max(b, 0)) for a, b in ends], top)
        self._kept = _inner([(max(-a, 0), max(-b, 0)) for a, b in ends], shapes[0])
        self._grows, self._cuts = max(map(max, ends)) > 0, min(map(min, ends)) < 0

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        if self._grows:
            tops[0].fill(self.spec.pad_param.constant_values)
        self.xp.copyto(tops[0][self._inside], bottoms[0][self._kept])

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is None:
            return
        if self._cuts:
            dbottoms[0].fill(0)
        self.xp.copyto(dbottoms[0][self._kept], dtops[0][self._inside])

    def _ends(self, axis: int) -> tuple[int, int]:
        before, after = self.spec.pad_param.paddings[2 * axis : 2 * axis + 2]
        return before, after


def _inner(borders: Sequence[tuple[int, int]], shape: Shape) -> tuple[slice, ...]:
    """The part of an array of ``shape`` within its borders, before and after each axis."""
    return tuple(
        slice(before, extent - after)
        for (before, after), extent in zip(borders, shape, strict=True)
    )
