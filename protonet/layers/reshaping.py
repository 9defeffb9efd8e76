"""Layers that view their bottom in another shape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.layers.base import Layer, LowPrecision, Traits, shape_text
from protonet.layers.registry import register


class _Reshaping(Layer):
    """Base of layers whose top is a view of the bottom."""

    traits = Traits(
        backward_reads=frozenset(),
        view=True,
        low_precision=LowPrecision.WITH_BOTTOMS,
        in_kernels=True,
    )

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        self.xp.copyto(tops[0], bottoms[0].reshape(tops[0].shape))

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is not None:
            self.xp.copyto(dbottoms[0], dtops[0].reshape(dbottoms[0].shape))


@register("Flatten")
class Flatten(_Reshaping):
    """y is x with the axes from ``axis`` to ``end_axis`` merged into one.

    Bottom:
        x: n_0 x ... x n_d.
    Top:
        y: the axes before ``axis``, the product of those up to and with ``end_axis``, and the
        axes after it. Shares the memory of x.
    Params:
        none.
    Spec:
        flatten_param: axis (1), end_axis (-1); negative ones count from the end.
    Raises:
        LayerError: for axes out of range, or an end_axis before axis.
    Differs:
        not at all.
    """

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        spec, shape = self.spec.flatten_param, shapes[0]
        start = self.axis(shape, spec.axis, ("flatten_param", "axis"))
        end = self.axis(shape, spec.end_axis, ("flatten_param", "end_axis"))
        if start > end:
            raise LayerError(
                f"expected axis <= end_axis, got {spec.axis} and {spec.end_axis} "
                f"for a bottom of shape {shape_text(shape)}",
                ("flatten_param", "end_axis"),
            )
        return [(*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :])]


@register("Squeeze")
class Squeeze(_Reshaping):
    """y is x without axes of extent 1.

    Bottom:
        x: any shape.
    Top:
        y: x without the axes that are named; without all that are 1, where none is. Shares the
        memory of x.
    Params:
        none.
    Spec:
        squeeze_param: axis (any number of them; none); negative ones count from the end.
    Raises:
        LayerError: for an axis out of range, or whose extent is not 1.
    Differs:
        BVLC Caffe has no such layer; this is the one of Synopsys' fork.
    """

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        shape, gone = shapes[0], set()
        for place, given in enumerate(self.spec.squeeze_param.axis):
            path = ("squeeze_param", "axis", place)
            axis = self.axis(shape, given, path)
            if shape[axis] != 1:
                raise LayerError(
                    f"expected an axis of extent 1, got axis {given} of {shape_text(shape)}", path
                )
            gone.add(axis)
        if not self.spec.squeeze_param.axis:
            gone = {axis for axis, extent in enumerate(shape) if extent == 1}
        return [tuple(extent for axis, extent in enumerate(shape) if axis not in gone)]


@register("Reshape")
class Reshape(_Reshaping):
    """y is x in another shape of the same count.

    ``num_axes`` axes of x from ``axis`` on are replaced by the dims of ``shape``, where 0
    copies the axis of x at the same place and one -1 stands for what is left. With pixelshuffler
    r, r^2 channels become blocks of r x r places: y[c, h r + i, w r + j] = x[c r^2 + i r + j, h, w]
    (Shi et al., CVPR 2016), and dx is dy in the old order.

    Bottom:
        x: any shape; with pixelshuffler, N x C x H x W.
    Top:
        y: the new shape. Shares the memory of x. With pixelshuffler, N x C / r^2 x H r x W r.
    Params:
        none.
    Spec:
        reshape_param: shape { dim }, axis (0; -1 is after the last axis), num_axes (-1: all
        that follow); or pixelshuffler (1: none).
    Raises:
        LayerError: for dims below -1, more than one -1, a 0 where x has no axis, axes out of range,
        a count that differs, or a pixelshuffler below 1, with a shape, or whose square
        does not divide the channels.
    Differs:
        not at all; pixelshuffler is of Synopsys' fork.
    """

    def setup(self) -> None:
        self.block = self.spec.reshape_param.pixelshuffler
        if self.block < 1:
            raise LayerError(
                f"expected a pixelshuffler of 1 or more, got {self.block}",
                ("reshape_param", "pixelshuffler"),
            )
        if self.block > 1:
            self.traits = replace(self.traits, view=False)
            if self.spec.reshape_param.HasField("shape"):
                raise LayerError(
                    "pixelshuffler and shape cannot be combined",
                    ("reshape_param", "pixelshuffler"),
                )
        self.dims = tuple(self.spec.reshape_param.shape.dim)
        path = ("reshape_param", "shape")
        for place, dim in enumerate(self.dims):
            if dim < -1:
                raise LayerError(
                    f"expected a dim of -1, 0 or more, got {dim}", (*path, "dim", place)
                )
        if self.dims.count(-1) > 1:
            raise LayerError(f"expected at most one dim of -1, got {self.dims.count(-1)}", path)

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        shape = shapes[0]
        if self.block > 1:
            return [self._shuffled(shape)]
        start, end = self._span(shape)
        dims = [
            self._copied(shape, start + place) if dim == 0 else dim
            for place, dim in enumerate(self.dims)
        ]
        span = math.prod(shape[start:end])
        if -1 in dims:
            known = -math.prod(dims)
            if not known:  # no items: infer the axis from the other extents
                known, span = (
                    math.prod(e for e in each if e > 0) for each in (dims, shape[start:end])
                )
            if span % known:
                raise self._misfit(shape, f"{span} values cannot be divided by {known}")
            dims[dims.index(-1)] = span // known
        elif math.prod(dims) != span:
            raise self._misfit(shape, f"{span} values do not make {math.prod(dims)}")
        return [(*shape[:start], *dims, *shape[end:])]

    def _shuffled(self, shape: Shape) -> Shape:
        r = self.block
        if len(shape) != 4 or shape[1] % r**2:
            raise LayerError(
                f"expected N x C x H x W with a C that {r**2} divides, got {shape_text(shape)}",
                ("bottom", 0),
            )
        items, channels, height, width = shape
        return (items, channels // r**2, height * r, width * r)

    def build(self, shapes: Sequence[Shape]) -> None:
        if self.block > 1:
            (items, channels, high, wide), r = self._shuffled(shapes[0]), self.block
            self._stacked = (items, channels, r, r, high // r, wide // r)
            self._blocks = (items, channels, high // r, r, wide // r, r)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        if self.block == 1:
            super().forward(bottoms, tops)
            return
        x = bottoms[0].reshape(self._stacked).transpose(0, 1, 4, 2, 5, 3)
        self.xp.copyto(tops[0].reshape(self._blocks), x)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if self.block == 1:
            super().backward(dtops, bottoms, tops, dbottoms)
        elif dbottoms[0] is not None:
            dy = dtops[0].reshape(self._blocks).transpose(0, 1, 3, 5, 2, 4)
            self.xp.copyto(dbottoms[0].reshape(self._stacked), dy)

    def _span(self, shape: Shape) -> tuple[int, int]:
        """The axes ``[start, end)`` of the bottom that the dims replace."""
        spec, axes = self.spec.reshape_param, len(shape)
        start = spec.axis if spec.axis >= 0 else spec.axis + axes + 1
        if not 0 <= start <= axes:
            raise LayerError(
                f"axis {spec.axis} is out of range for a bottom of shape {shape_text(shape)}",
                ("reshape_param", "axis"),
            )
        end = axes if spec.num_axes == -1 else start + spec.num_axes
        if not start <= end <= axes:
            raise LayerError(
                f"expected num_axes of -1 to {axes - start} for a bottom of shape "
                f"{shape_text(shape)} from axis {start} on, got {spec.num_axes}",
                ("reshape_param", "num_axes"),
            )
        return start, end

    def _copied(self, shape: Shape, axis: int) -> int:
        if axis >= len(shape):
            raise LayerError(
                f"dim: 0 copies axis {axis}, which a bottom of shape {shape_text(shape)} has not",
                ("reshape_param", "shape"),
            )
        return shape[axis]

    def _misfit(self, shape: Shape, why: str) -> LayerError:
        dims = " ".join(str(dim) for dim in self.dims)
        return LayerError(
            f"a bottom of shape {shape_text(shape)} does not fit dims [{dims}]: {why}",
            ("reshape_param", "shape") if self.dims else (),
            "dim: -1 stands for what is left, dim: 0 copies the bottom's axis",
        )
