"""Layers that permute the values of a blob."""

from __future__ import annotations

import math
from collections.abc import Sequence

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.layers.base import Layer, LowPrecision, Traits, shape_text
from protonet.layers.registry import register


@register("Permute")
class Permute(Layer):
    """y is x with permuted axes: axis i of y is axis order[i] of x.

    Gradient: dx = dy with the inverse permutation.

    Bottom:
        x: any shape.
    Top:
        y: the extents of x in the new order.
    Params:
        none.
    Spec:
        permute_param: order (axes of x; missing ones follow in ascending order).
    Raises:
        LayerError: for an axis out of range, or that is repeated.
    Differs:
        BVLC Caffe has no such layer; this is the one of the SSD and NVIDIA forks.
    """

    traits = Traits(
        backward_reads=frozenset(), low_precision=LowPrecision.WITH_BOTTOMS, in_kernels=True
    )

    def setup(self) -> None:
        order = list(self.spec.permute_param.order)
        for place, axis in enumerate(order):
            if axis in order[:place]:
                raise LayerError(
                    f"axis {axis} is repeated in order", ("permute_param", "order", place)
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


class _Reversing(Layer):
    """Base of layers that reverse axes."""

    traits = Traits(
        backward_reads=frozenset(), low_precision=LowPrecision.WITH_BOTTOMS, in_kernels=True
    )

    def reversed_axes(self, shape: Shape) -> frozenset[int]:
        """The axes to reverse; LayerError if ``shape`` lacks them."""
        raise NotImplementedError

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        self.reversed_axes(shapes[0])
        return [shapes[0]]

    def build(self, shapes: Sequence[Shape]) -> None:
        axes = self.reversed_axes(shapes[0])
        self._turned = tuple(
            slice(None, None, -1 if i in axes else 1) for i in range(len(shapes[0]))
        )

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        self.xp.copyto(tops[0], bottoms[0][self._turned])

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is not None:
            self.xp.copyto(dbottoms[0], dtops[0][self._turned])


@register("Reverse")
class Reverse(_Reversing):
    """y is x with the order along an axis reversed: y[i] = x[n - 1 - i].

    Gradient: dx = dy reversed.

    Bottom:
        x: any shape but a scalar.
    Top:
        y: the shape of x.
    Params:
        none.
    Spec:
        reverse_param: axis (0).
    Raises:
        LayerError: for an axis out of range.
    Differs:
        BVLC Caffe has no such layer; this is the one of dlunion/CaffeLSTM-OCR and others.
    """

    def reversed_axes(self, shape: Shape) -> frozenset[int]:
        return frozenset(
            [self.axis(shape, self.spec.reverse_param.axis, ("reverse_param", "axis"))]
        )


@register("Flip")
class Flip(_Reversing):
    """y is x mirrored: left is right, or top is bottom, or both.

    Gradient: dx = dy mirrored.

    Bottom:
        x: N x C x H x W.
    Top:
        y: the shape of x.
    Params:
        none.
    Spec:
        flip_param: flip_width (true), flip_height (false).
    Raises:
        LayerError: for a bottom without 4 axes.
    Differs:
        BVLC Caffe has no such layer; this is the one of happynear/caffe-windows.
    """

    def reversed_axes(self, shape: Shape) -> frozenset[int]:
        if len(shape) != 4:
            raise LayerError(
                f"expected N x C x H x W, got '{self.spec.bottom[0]}' {shape_text(shape)}",
                ("bottom", 0),
            )
        param = self.spec.flip_param
        return frozenset(
            axis for axis, turned in ((3, param.flip_width), (2, param.flip_height)) if turned
        )


@register("ShuffleChannel")
class ShuffleChannel(Layer):
    """Shuffles channels between groups: y[i G + g] = x[g C / G + i].

    The C channels are viewed as G = ``group`` rows, and transposed. Gradient: dx = dy
    with the inverse permutation.

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

    traits = Traits(
        backward_reads=frozenset(), low_precision=LowPrecision.WITH_BOTTOMS, in_kernels=True
    )

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


@register("Reorg")
class Reorg(Layer):
    """Blocks of s x s positions become channels; with ``reverse``, channels become blocks.

    As darknet has it, the values of x count as C / s^2 planes of H s x W s, whatever its planes
    are: value (j s + a, i s + b) of plane c goes to place (j, i) of channel (a s + b) C / s^2 + c
    of C planes of H x W, which are then read as y. With reverse the same, the other way round.
    Gradient: dx = dy in the old order.

    Bottom:
        x: N x C x H x W.
    Top:
        y: N x (C s^2) x H/s x W/s; with reverse, N x C/s^2 x (H s) x (W s).
    Params:
        none.
    Spec:
        reorg_param: stride (s, required), reverse (false).
    Raises:
        LayerError: without a stride, for a bottom without 4 axes, or a C, H or W that s or its
        square does not divide where it must.
    Differs:
        BVLC Caffe has no such layer; this is the one of the forks for YOLOv2, with the gradient
        that some of them lack.
    """

    traits = Traits(
        backward_reads=frozenset(), low_precision=LowPrecision.WITH_BOTTOMS, in_kernels=True
    )

    def setup(self) -> None:
        self.stride, self.reverse = self.spec.reorg_param.stride, self.spec.reorg_param.reverse
        if self.stride < 1:
            raise LayerError("expected a stride of 1 or more, got 0", ("reorg_param", "stride"))

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        shape, s = shapes[0], self.stride
        if len(shape) != 4:
            raise LayerError(
                f"expected 4 axes, N x C x H x W, got '{self.spec.bottom[0]}' {shape_text(shape)}",
                ("bottom", 0),
            )
        items, channels, height, width = shape
        if channels % s**2:
            raise LayerError(
                f"expected a stride whose square divides the {channels} channels, got {s}",
                ("reorg_param", "stride"),
            )
        if self.reverse:
            return [(items, channels // s**2, height * s, width * s)]
        if height % s or width % s:
            raise LayerError(
                f"expected a stride that divides the plane, {height}x{width}, got {s}",
                ("reorg_param", "stride"),
            )
        return [(items, channels * s**2, height // s, width // s)]

    def build(self, shapes: Sequence[Shape]) -> None:
        (items, channels, height, width), s = shapes[0], self.stride
        planes = channels // s**2
        self._blocks = (items, planes, height, s, width, s)
        self._stacked = (items, s, s, planes, height, width)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        self._move(bottoms[0], tops[0], stacking=not self.reverse)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is not None:
            self._move(dtops[0], dbottoms[0], stacking=self.reverse)

    def _move(self, x: Array, y: Array, *, stacking: bool) -> None:
        if stacking:
            moved = x.reshape(self._blocks).transpose(0, 3, 5, 1, 2, 4)
            self.xp.copyto(y.reshape(self._stacked), moved)
        else:
            moved = x.reshape(self._stacked).transpose(0, 3, 4, 1, 5, 2)
            self.xp.copyto(y.reshape(self._blocks), moved)
