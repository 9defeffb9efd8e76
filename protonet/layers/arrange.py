"""Layers that cut a blob, or lay it out several times."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.layers.base import Layer
from protonet.layers.registry import register


@register("Slice")
class Slice(Layer):
    """The tops are the parts of x along one axis, one after the other.

    Gradient: the part of dx that a top came from is the gradient of that top.

    Bottom:
        x: any shape with the axis.
    Top:
        one or more: as x, with the extent of the part at that axis. A single top shares the
        memory of x.
    Params:
        none.
    Spec:
        slice_param: axis (1; negative counts from the end), slice_dim (its old name),
        slice_point (where each part but the first begins; without any, equal parts).
    Raises:
        LayerError: for both names of the axis at once, an axis that x has not, points that do
        not rise or leave an empty part, another number of them than tops - 1, or equal parts
        that do not come out even.
    Differs:
        not at all.
    """

    tops = (1, None)
    backward_reads = frozenset()

    def setup(self) -> None:
        spec, parts = self.spec.slice_param, len(self.spec.top)
        if spec.HasField("axis") and spec.HasField("slice_dim"):
            raise LayerError(
                "expected axis or slice_dim, which is its old name, got both",
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
                    "points rise, and the first part begins at 0 by itself",
                )
        self._field = "slice_dim" if spec.HasField("slice_dim") else "axis"
        self.shares_storage = parts == 1

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        shape, axis = shapes[0], self._axis(shapes[0])
        edges = self._edges(shape[axis])
        return [
            (*shape[:axis], stop - start, *shape[axis + 1 :]) for start, stop in pairwise(edges)
        ]

    def build(self, shapes: Sequence[Shape]) -> None:
        axis = self._axis(shapes[0])
        edges = self._edges(shapes[0][axis])
        self._parts = [
            (slice(None),) * axis + (slice(start, stop),) for start, stop in pairwise(edges)
        ]

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        for top, part in zip(tops, self._parts, strict=True):
            self.xp.copyto(top, bottoms[0][part])

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is None:
            return
        for dtop, part in zip(dtops, self._parts, strict=True):
            self.xp.copyto(dbottoms[0][part], dtop)

    def _axis(self, shape: Shape) -> int:
        spec = self.spec.slice_param
        axis = spec.slice_dim if self._field == "slice_dim" else spec.axis
        return self.axis(shape, axis, ("slice_param", self._field))

    def _edges(self, extent: int) -> list[int]:
        """Where the parts begin, and the end of the last one."""
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
