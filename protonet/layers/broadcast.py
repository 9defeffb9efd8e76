"""Add and Mul of two blobs, with broadcasting."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.layers.base import Layer, Reads, Traits, shape_text
from protonet.layers.registry import register


class _Broadcasting(Layer):
    """Base: y of a and b with broadcasting; their axes are aligned from the last one."""

    bottoms = (2, 2)

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        try:
            return [np.broadcast_shapes(*shapes)]
        except ValueError:
            raise LayerError(
                f"expected equal extents, or 1, from the last axis on, got "
                f"'{self.spec.bottom[0]}' {shape_text(shapes[0])} and '{self.spec.bottom[1]}' "
                f"{shape_text(shapes[1])}",
                ("bottom", 1),
            ) from None

    def build(self, shapes: Sequence[Shape]) -> None:
        (top,) = self.infer(shapes)
        # Each bottom's shape with missing axes of 1, and its broadcast axes.
        self._whole = [(1,) * (len(top) - len(shape)) + tuple(shape) for shape in shapes]
        self._repeated = [
            tuple(axis for axis, extent in enumerate(top) if whole[axis] != extent)
            for whole in self._whole
        ]
        self._slope = self.scratch(top)

    def _reduce(self, slope: Array, place: int, dx: Array) -> None:
        """Write to ``dx`` the sums of ``slope`` over the broadcast axes of its bottom."""
        whole = dx.reshape(self._whole[place])
        if self._repeated[place]:
            self.xp.sum(slope, axis=self._repeated[place], keepdims=True, out=whole)
        else:
            self.xp.copyto(whole, slope)


@register("Add")
class Add(_Broadcasting):
    """y = a + b; axes are aligned from the last one, and extents of 1 are broadcast.

    Gradients: da = dy and db = dy, summed over their broadcast axes.

    Bottom:
        a, b: extents that are equal or 1, from the last axis on.
    Top:
        y: the larger extents.
    Params:
        none.
    Spec:
        no fields.
    Raises:
        LayerError: for extents that differ and are not 1.
    Differs:
        BVLC Caffe has no such layer; this is the one of Synopsys' fork, which has no gradient.
    """

    traits = Traits(backward_reads=frozenset(), recomputable=True)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        self.xp.add(*bottoms, out=tops[0])

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        for place, dx in enumerate(dbottoms):
            if dx is not None:
                self._reduce(dtops[0], place, dx)


@register("Mul")
class Mul(_Broadcasting):
    """y = a b; axes are aligned from the last one, and extents of 1 are broadcast.

    Gradients: da = dy b and db = dy a, summed over their broadcast axes.

    Bottom:
        a, b: extents that are equal or 1, from the last axis on.
    Top:
        y: the larger extents.
    Params:
        none.
    Spec:
        no fields.
    Raises:
        LayerError: for extents that differ and are not 1.
    Differs:
        BVLC Caffe has no such layer; this is the one of Synopsys' fork, which has no gradient,
        and can keep b as a parameter.
    """

    traits = Traits(backward_reads=frozenset({Reads.BOTTOMS}), recomputable=True)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        self.xp.multiply(*bottoms, out=tops[0])

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        for place, dx in enumerate(dbottoms):
            if dx is not None:
                self.xp.multiply(dtops[0], bottoms[1 - place], out=self._slope)
                self._reduce(self._slope, place, dx)
