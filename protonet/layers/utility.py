"""Utility layers: Split, Concat and Silence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from protonet.blob import Array, Pixels, Shape
from protonet.errors import LayerError
from protonet.kernels.combine import Combine, Parts
from protonet.layers.base import Layer, LowPrecision, Traits, shape_text
from protonet.layers.registry import register


@register("Split")
class Split(Layer):
    """Every top is x. Gradient: dx = the sum of the tops' gradients.

    Not needed in nets: a blob may have any number of readers. It is for files written by Caffe.

    Bottom:
        x: any shape.
    Top:
        one or more of the shape of x. They share the memory of x.
    Params:
        none.
    Spec:
        no fields.
    Raises:
        nothing of its own.
    Differs:
        not at all.
    """

    traits = Traits(
        backward_reads=frozenset(),
        view=True,
        low_precision=LowPrecision.WITH_BOTTOMS,
        in_kernels=True,
    )
    tops = (1, None)

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        return [shapes[0]] * len(self.spec.top)

    def build(self, shapes: Sequence[Shape]) -> None:
        count = len(self.spec.top)
        self._kernel = Combine.make(self.device, self.dtype, shapes[0], count)
        self._ones = (1.0,) * count

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        for top in tops:
            self.xp.copyto(top, bottoms[0])

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is not None:
            self._kernel.weighted_sum(dtops, self._ones, dbottoms[0])


@register("Concat")
class Concat(Layer):
    """y is the bottoms concatenated along one axis. Gradient: each gets its part of dy.

    Bottom:
        one or more, with equal extents at every axis but the one of concatenation.
    Top:
        y: as the bottoms, with the sum of their extents at that axis.
    Params:
        none.
    Spec:
        concat_param: axis (1; negative counts from the end), concat_dim (deprecated name).
    Raises:
        LayerError: for both names at once, an axis out of range, or extents that
        differ elsewhere.
    Differs:
        not at all.
    """

    traits = Traits(
        backward_reads=frozenset(),
        recomputable=True,
        low_precision=LowPrecision.WITH_BOTTOMS,
        in_kernels=True,
    )
    bottoms = (1, None)

    def setup(self) -> None:
        spec = self.spec.concat_param
        if spec.HasField("axis") and spec.HasField("concat_dim"):
            raise LayerError(
                "expected axis or concat_dim, its deprecated name, got both",
                ("concat_param", "concat_dim"),
            )
        self._field = "concat_dim" if spec.HasField("concat_dim") else "axis"
        axis = spec.concat_dim if self._field == "concat_dim" else spec.axis
        self.traits = replace(self.traits, pixels=axis == 1)

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        axis = self.axis_of(shapes[0])
        first = shapes[0]
        for place, shape in enumerate(shapes):
            if len(shape) != len(first) or (*shape[:axis], *shape[axis + 1 :]) != (
                *first[:axis],
                *first[axis + 1 :],
            ):
                names = self.spec.bottom
                raise LayerError(
                    f"expected equal extents at all axes but {axis}, got '{names[0]}' "
                    f"{shape_text(first)} and '{names[place]}' {shape_text(shape)}",
                    ("bottom", place),
                )
        extent = sum(shape[axis] for shape in shapes)
        return [(*first[:axis], extent, *first[axis + 1 :])]

    def build(self, shapes: Sequence[Shape]) -> None:
        axis = self.axis_of(shapes[0])
        rows = math.prod(shapes[0][:axis])
        lengths = [math.prod(shape[axis:]) for shape in shapes]
        if self.pixels is not Pixels.NONE:
            places = math.prod(shapes[0][2:])
            rows, lengths = rows * places, [length // places for length in lengths]
        self._parts = Parts.make(self.device, self.dtype, rows, lengths)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        for place, bottom in enumerate(bottoms):
            self._parts.put(bottom, place, tops[0])

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        for place, dx in enumerate(dbottoms):
            if dx is not None:
                self._parts.take(dtops[0], place, dx)

    def axis_of(self, shape: Shape) -> int:
        spec = self.spec.concat_param
        axis = spec.concat_dim if self._field == "concat_dim" else spec.axis
        return self.axis(shape, axis, ("concat_param", self._field))


@register("Silence")
class Silence(Layer):
    """Consumes blobs that no other layer reads, so that they are not outputs of the net.

    Gradient: 0.

    Bottom:
        one or more of any shape.
    Top:
        none.
    Params:
        none.
    Spec:
        no fields.
    Raises:
        nothing of its own.
    Differs:
        not at all.
    """

    bottoms = (1, None)
    tops = (0, 0)
    traits = Traits(backward_reads=frozenset(), in_kernels=True)

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        return []

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        pass

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        for dx in dbottoms:
            if dx is not None:
                dx.fill(0.0)


@register("Gather")
class Gather(Layer):
    """Each top is its bottom: what several processes have, gathered, of this one process.

    Gradient: dx = dy.

    Bottom:
        one or more, any shapes.
    Top:
        one for each bottom, of its shape.
    Params:
        none.
    Spec:
        no fields.
    Raises:
        nothing of its own.
    Differs:
        BVLC Caffe has no such layer; this is the one of yjxiong/caffe, in its mode without MPI.
    """

    traits = Traits(
        backward_reads=frozenset(),
        one_to_one=True,
        low_precision=LowPrecision.WITH_BOTTOMS,
        in_kernels=True,
    )
    bottoms = (1, None)
    tops = (1, None)

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        return list(shapes)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        for x, y in zip(bottoms, tops, strict=True):
            self.xp.copyto(y, x)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        for dy, dx in zip(dtops, dbottoms, strict=True):
            if dx is not None:
                self.xp.copyto(dx, dy)
