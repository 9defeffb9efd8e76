"""Layers that slice, crop or tile a blob."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.kernels.combine import Parts
from protonet.layers.base import Layer, LowPrecision, Traits, shape_text
from protonet.layers.registry import register


@register("Slice")
class Slice(Layer):
    """The tops are consecutive parts of x along one axis.

    Gradient: each part of dx is the gradient of its top.

    Bottom:
        x: any shape with the axis.
    Top:
        one or more: as x, with the extent of the part at that axis. A single top shares the
        memory of x.
    Params:
        none.
    Spec:
        slice_param: axis (1; negative counts from the end), slice_dim (deprecated name),
        slice_point (the start of each part but the first; by default, equal parts).
    Raises:
        LayerError: for both names of the axis at once, an axis out of range, points that do
        not rise or leave an empty part, a number of them other than tops - 1, or equal parts
        that do not come out even.
    Differs:
        not at all.
    """

    traits = Traits(
        backward_reads=frozenset(),
        recomputable=True,
        low_precision=LowPrecision.WITH_BOTTOMS,
        in_kernels=True,
    )
    tops = (1, None)

    def setup(self) -> None:
        spec, parts = self.spec.slice_param, len(self.spec.top)
        if spec.HasField("axis") and spec.HasField("slice_dim"):
            raise LayerError(
                "expected axis or slice_dim, its deprecated name, got both",
                ("slice_param", "slice_dim"),
            )
        points = list(spec.slice_point)
        if points and len(points) != parts - 1:
            raise LayerError(
                f"expected {parts - 1} slice_point(s) for {parts} top(s), got {len(points)}",
                ("slice_param", "slice_point"),
            )
        for place, (before, point) in enumerate(pairwise([0, *points])):
            if point <= before:
                raise LayerError(
                    f"expected a slice_point above {before}, got {point}",
                    ("slice_param", "slice_point", place),
                    "points increase; the first part begins at 0",
                )
        self._field = "slice_dim" if spec.HasField("slice_dim") else "axis"
        self.traits = replace(self.traits, view=parts == 1)

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        shape, axis = shapes[0], self.axis_of(shapes[0])
        edges = self._edges(shape[axis])
        return [
            (*shape[:axis], stop - start, *shape[axis + 1 :]) for start, stop in pairwise(edges)
        ]

    def build(self, shapes: Sequence[Shape]) -> None:
        axis = self.axis_of(shapes[0])
        edges = self._edges(shapes[0][axis])
        inner = math.prod(shapes[0][axis + 1 :])
        self._parts = Parts.make(
            self.device,
            self.dtype,
            math.prod(shapes[0][:axis]),
            [(stop - start) * inner for start, stop in pairwise(edges)],
        )

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        for place, top in enumerate(tops):
            self._parts.take(bottoms[0], place, top)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is not None:
            for place, dtop in enumerate(dtops):
                self._parts.put(dtop, place, dbottoms[0])

    def axis_of(self, shape: Shape) -> int:
        spec = self.spec.slice_param
        axis = spec.slice_dim if self._field == "slice_dim" else spec.axis
        return self.axis(shape, axis, ("slice_param", self._field))

    def _edges(self, extent: int) -> list[int]:
        """The starts of the parts, and the end of the last one."""
        points, parts = list(self.spec.slice_param.slice_point), len(self.spec.top)
        if points:
            if points[-1] >= extent:
                raise LayerError(
                    f"expected slice points below {extent}, the extent of "
                    f"'{self.spec.bottom[0]}' at the axis, got {points[-1]}",
                    ("slice_param", "slice_point", len(points) - 1),
                )
            return [0, *points, extent]
        if extent % parts:
            raise LayerError(
                f"an extent of {extent} cannot be cut into {parts} equal parts",
                (),
                f"give {parts - 1} slice_point(s), or another number of tops",
            )
        return list(range(0, extent + 1, extent // parts))


@register("Tile")
class Tile(Layer):
    """y is x repeated ``tiles`` times along one axis.

    Gradient: dx = the sum of the gradients of the copies.

    Bottom:
        x: any shape with the axis.
    Top:
        y: as x, with ``tiles`` times its extent at that axis.
    Params:
        none.
    Spec:
        tile_param: tiles (required), axis (1; negative counts from the end).
    Raises:
        LayerError: for tiles that are missing or below 1, or an axis out of range.
    Differs:
        not at all.
    """

    traits = Traits(backward_reads=frozenset(), low_precision=LowPrecision.WITH_BOTTOMS)

    def setup(self) -> None:
        spec = self.spec.tile_param
        self.tiles = spec.tiles
        if self.tiles < 1:
            given = spec.HasField("tiles")
            raise LayerError(
                f"expected tiles of 1 or more, got {self.tiles}" if given else "tiles is missing",
                ("tile_param", "tiles") if given else ("tile_param",),
                "such as tile_param { tiles: 2 }",
            )

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        shape, axis = shapes[0], self.axis_of(shapes[0])
        return [(*shape[:axis], shape[axis] * self.tiles, *shape[axis + 1 :])]

    def build(self, shapes: Sequence[Shape]) -> None:
        axis = self.axis_of(shapes[0])
        self._one = (math.prod(shapes[0][:axis]), 1, math.prod(shapes[0][axis:]))
        self._all = (self._one[0], self.tiles, self._one[2])

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        self.xp.copyto(tops[0].reshape(self._all), bottoms[0].reshape(self._one))

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is not None:
            dx = dbottoms[0].reshape(self._one)
            dtops[0].reshape(self._all).sum(axis=1, out=dx, keepdims=True)

    def axis_of(self, shape: Shape) -> int:
        return self.axis(shape, self.spec.tile_param.axis, ("tile_param", "axis"))


@register("Crop")
class Crop(Layer):
    """y is the part of x that begins at the offsets and has the size of the second bottom.

    Gradients: dx = dy in that part and 0 outside of it; the second bottom gets 0.

    Bottom:
        x: any shape; reference: as many axes; only its shape is used.
    Top:
        y: the extents of x before ``axis``, and those of the reference from ``axis`` on.
    Params:
        none.
    Spec:
        crop_param: axis (2; negative counts from the end), offset (0; one for all cropped
        axes, or one for each).
    Raises:
        LayerError: for bottoms with other numbers of axes, an axis out of range, another
        number of offsets than 0, 1 or the cropped axes, or a part that x does not hold.
    Differs:
        Caffe takes a reference with more axes than x.
    """

    traits = Traits(
        backward_reads=frozenset(), low_precision=LowPrecision.WITH_BOTTOMS, in_kernels=True
    )
    bottoms = (2, 2)

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        x, reference = shapes
        names = self.spec.bottom
        axis = self.axis(x, self.spec.crop_param.axis, ("crop_param", "axis"))
        if len(x) != len(reference):
            raise LayerError(
                f"expected bottoms with as many axes, got '{names[0]}' {shape_text(x)} and "
                f"'{names[1]}' {shape_text(reference)}",
                ("bottom", 1),
            )
        for place, offset in enumerate(self.offsets(len(x) - axis), axis):
            if offset + reference[place] > x[place]:
                raise LayerError(
                    f"'{names[0]}' {shape_text(x)} has {x[place]} values at axis {place}, and a "
                    f"crop needs {offset + reference[place]}: {reference[place]}, as '{names[1]}' "
                    f"{shape_text(reference)}, from offset {offset} on",
                    ("bottom", 0),
                )
        return [(*x[:axis], *reference[axis:])]

    def build(self, shapes: Sequence[Shape]) -> None:
        x, reference = shapes
        axis = self.spec.crop_param.axis % len(x)
        offsets = self.offsets(len(x) - axis)
        self._part = (slice(None),) * axis + tuple(
            slice(offset, offset + extent)
            for offset, extent in zip(offsets, reference[axis:], strict=True)
        )

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        self.xp.copyto(tops[0], bottoms[0][self._part])

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        for dbottom in dbottoms:
            if dbottom is not None:
                dbottom.fill(0.0)
        if dbottoms[0] is not None:
            self.xp.copyto(dbottoms[0][self._part], dtops[0])

    def offsets(self, axes: int) -> list[int]:
        """The offset for each cropped axis."""
        offsets = list(self.spec.crop_param.offset)
        if len(offsets) not in (0, 1, axes):
            raise LayerError(
                f"expected no offset, one, or one for each of the {axes} cropped axes, "
                f"got {len(offsets)}",
                ("crop_param", "offset"),
            )
        return offsets if len(offsets) == axes else (offsets or [0]) * axes
