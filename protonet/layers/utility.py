"""Utility layers: they move, join and reshape."""

from __future__ import annotations

import math
from collections.abc import Sequence

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.kernels.softmax import softmax, softmax_gradient
from protonet.layers.base import Layer, Reads, shape_text
from protonet.layers.registry import register


class _Reshaping(Layer):
    """Base of the layers whose top is their bottom in another shape."""

    backward_reads = frozenset()
    shares_storage = True

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
    """y is x with the axes from ``axis`` to ``end_axis`` made one.

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
        LayerError: for axes that x has not, or an end_axis before axis.
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


@register("Reshape")
class Reshape(_Reshaping):
    """y is x in another shape of the same count.

    ``num_axes`` axes of x from ``axis`` on are replaced by the dims of ``shape``, where 0
    copies the axis of x at the same place and one -1 stands for what is left.

    Bottom:
        x: any shape.
    Top:
        y: the new shape. Shares the memory of x.
    Params:
        none.
    Spec:
        reshape_param: shape { dim }, axis (0; -1 is after the last axis), num_axes (-1: all
        that follow).
    Raises:
        LayerError: for dims below -1, more than one -1, a 0 where x has no axis, axes that x
        has not, or a count that differs.
    Differs:
        not at all.
    """

    def setup(self) -> None:
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
        start, end = self._span(shape)
        dims = [
            self._copied(shape, start + place) if dim == 0 else dim
            for place, dim in enumerate(self.dims)
        ]
        span = math.prod(shape[start:end])
        if -1 in dims:
            known = -math.prod(dims)
            if span % known:
                raise self._misfit(shape, f"{span} values cannot be divided by {known}")
            dims[dims.index(-1)] = span // known
        elif math.prod(dims) != span:
            raise self._misfit(shape, f"{span} values do not make {math.prod(dims)}")
        return [(*shape[:start], *dims, *shape[end:])]

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


@register("Split")
class Split(Layer):
    """Every top is x. Gradient: dx = the sum of the tops' gradients.

    Nets need none: a blob may have any number of readers. It is here for files that Caffe wrote.

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

    tops = (1, None)
    backward_reads = frozenset()
    shares_storage = True

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        return [shapes[0]] * len(self.spec.top)

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
        xp, dx = self.xp, dbottoms[0]
        if dx is None:
            return
        xp.copyto(dx, dtops[0])
        for dtop in dtops[1:]:
            xp.add(dx, dtop, out=dx)


@register("Concat")
class Concat(Layer):
    """y is the bottoms one after the other along one axis. Gradient: each gets its part of dy.

    Bottom:
        one or more, with equal extents at every axis but the one of concatenation.
    Top:
        y: as the bottoms, with the sum of their extents at that axis.
    Params:
        none.
    Spec:
        concat_param: axis (1; negative counts from the end), concat_dim (its old name).
    Raises:
        LayerError: for both names at once, an axis that the bottoms have not, or extents that
        differ elsewhere.
    Differs:
        not at all.
    """

    bottoms = (1, None)
    backward_reads = frozenset()

    def setup(self) -> None:
        spec = self.spec.concat_param
        if spec.HasField("axis") and spec.HasField("concat_dim"):
            raise LayerError(
                "expected axis or concat_dim, which is its old name, got both",
                ("concat_param", "concat_dim"),
            )
        self._field = "concat_dim" if spec.HasField("concat_dim") else "axis"

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        axis = self._axis(shapes[0])
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
        axis = self._axis(shapes[0])
        self._along = axis
        self._parts: list[tuple[slice, ...]] = []
        start = 0
        for shape in shapes:
            stop = start + shape[axis]
            self._parts.append((slice(None),) * axis + (slice(start, stop),))
            start = stop

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        self.xp.concatenate(bottoms, axis=self._along, out=tops[0])

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        for dx, part in zip(dbottoms, self._parts, strict=True):
            if dx is not None:
                self.xp.copyto(dx, dtops[0][part])

    def _axis(self, shape: Shape) -> int:
        spec = self.spec.concat_param
        axis = spec.concat_dim if self._field == "concat_dim" else spec.axis
        return self.axis(shape, axis, ("concat_param", self._field))


@register("Softmax")
class Softmax(Layer):
    """y = exp(x) / sum(exp(x)) along ``axis``.

    Gradient: dx = y (dy - sum(y dy)), with the sum along ``axis``.

    Bottom:
        x: any shape.
    Top:
        y: the shape of x. May be in place.
    Params:
        none.
    Spec:
        softmax_param: axis (1; negative counts from the end); engine is accepted and makes no
        difference.
    Raises:
        LayerError: for an axis that x has not.
    Differs:
        not at all.
    """

    backward_reads = frozenset({Reads.TOPS})
    in_place = True

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        self._axis(shapes[0])
        return [shapes[0]]

    def build(self, shapes: Sequence[Shape]) -> None:
        self._along = axis = self._axis(shapes[0])
        self._reduced = self.scratch((*shapes[0][:axis], 1, *shapes[0][axis + 1 :]))
        self._product: Array | None = None

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        softmax(self.xp, bottoms[0], self._along, tops[0], self._reduced)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        dx = dbottoms[0]
        if dx is None:
            return
        if self._product is None:
            self._product = self.scratch(dx.shape)
        softmax_gradient(self.xp, tops[0], dtops[0], self._along, dx, self._product, self._reduced)

    def _axis(self, shape: Shape) -> int:
        return self.axis(shape, self.spec.softmax_param.axis, ("softmax_param", "axis"))


@register("Silence")
class Silence(Layer):
    """Takes blobs that nobody else reads, so that they are not printed as outputs.

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
    backward_reads = frozenset()

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
