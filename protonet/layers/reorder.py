"""Layers that put the values of a blob in another order."""

from __future__ import annotations

import math
from collections.abc import Sequence

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.layers.base import Layer, Narrows, Traits, shape_text
from protonet.layers.registry import register


@register("Permute")
class Permute(Layer):
    """y is x with its axes in another order: axis i of y is axis order[i] of x.

    Gradient: dx = dy with its axes back in the old order.

    Bottom:
        x: any shape.
    Top:
        y: the extents of x in the new order.
    Params:
        none.
    Spec:
        permute_param: order (axes of x; those that it leaves out follow as they come).
    Raises:
        LayerError: for an axis that x has not, or that comes twice.
    Differs:
        BVLC Caffe has no such layer; this is the one of the SSD and NVIDIA forks.
    """

    traits = Traits(backward_reads=frozenset(), narrows=Narrows.WITH_BOTTOMS, in_kernels=True)

    def setup(self) -> None:
        order = list(self.spec.permute_param.order)
        for place, axis in enumerate(order):
            if axis in order[:place]:
                raise LayerError(
                    f"axis {axis} comes twice in order", ("permute_param", "order", place)
                )

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        shape = shapes[0]
        for place, axis in enumerate(self.spec.permute_param.order):
            self.axis(shape, axis, ("permute_param", "order", place))
        return [tuple(shape[axis] for axis in self.order_of(shape))]

    def build(self, shapes: Sequence[Shape]) -> None:
        self._forth = self.order_of(shapes[0])
        self._back = sorted(range(len(self._forth)), key=self._forth.__getitem__)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        self.xp.copyto(tops[0], bottoms[0].transpose(self._forth))

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is not None:
            self.xp.copyto(dbottoms[0], dtops[0].transpose(self._back))

    def order_of(self, shape: Shape) -> list[int]:
        order = list(self.spec.permute_param.order)
        return order + [axis for axis in range(len(shape)) if axis not in order]


@register("ShuffleChannel")
class ShuffleChannel(Layer):
    """Channel i of group g goes to place g of column i: y[i G + g] = x[g C / G + i].

    The C channels are seen as G = ``group`` rows, and read column by column. Gradient: dx = dy
    in the old order.

    Bottom:
        x: N x C x ...
    Top:
        y: the shape of x.
    Params:
        none.
    Spec:
        shuffle_channel_param: group (1).
    Raises:
        LayerError: for a bottom of less than 2 axes, or a group that does not divide C.
    Differs:
        BVLC Caffe has no such layer; this is the one of ShuffleNet.
    """

    traits = Traits(backward_reads=frozenset(), narrows=Narrows.WITH_BOTTOMS, in_kernels=True)

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        shape, group = shapes[0], self.spec.shuffle_channel_param.group
        if len(shape) < 2:
            raise LayerError(
                f"expected at least 2 axes, got '{self.spec.bottom[0]}' {shape_text(shape)}",
                ("bottom", 0),
            )
        if group < 1 or shape[1] % group:
            raise LayerError(
                f"expected a group that divides the {shape[1]} channels, got {group}",
                ("shuffle_channel_param", "group"),
            )
        return [shape]

    def build(self, shapes: Sequence[Shape]) -> None:
        items, channels = shapes[0][:2]
        group, inner = self.spec.shuffle_channel_param.group, math.prod(shapes[0][2:])
        self._grouped = (items, group, channels // group, inner)
        self._shuffled = (items, channels // group, group, inner)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        x, y = bottoms[0].reshape(self._grouped), tops[0].reshape(self._shuffled)
        self.xp.copyto(y, x.transpose(0, 2, 1, 3))

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is not None:
            dx, dy = dbottoms[0].reshape(self._grouped), dtops[0].reshape(self._shuffled)
            self.xp.copyto(dx, dy.transpose(0, 2, 1, 3))
