"""Pad: a border around the values of a blob."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.layers.base import Layer, LowPrecision, Traits, shape_text
from protonet.layers.registry import register
from protonet.proto.caffe_pb2 import PadParameter

_PARAM = "pad_param"
_Part = tuple[tuple[slice, ...], tuple[slice, ...]]
"""Where values of a padded array come from: slices of it, and of the array without padding."""


@register("Pad")
class Pad(Layer):
    """y is x with a border of ``paddings`` values before and after each axis; a negative padding
    crops. The border has one value (CONSTANT), the mirrored values of x without those of its edge
    (REFLECT), or those of its edge (EDGE).

    Gradient: dx = dy without the border; with REFLECT and EDGE, each value of the border adds its
    gradient to that of the value it repeats. What is cropped has the gradient 0.

    Bottom:
        x: any shape but a scalar.
    Top:
        y: each extent of x plus its paddings.
    Params:
        none.
    Spec:
        pad_param: paddings (two for each axis: before and after), constant_values (0), mode
        (CONSTANT).
    Raises:
        LayerError: for a number of paddings other than two for each axis, paddings that crop all
        of an axis, and REFLECT of as many values as the axis has.
    Differs:
        BVLC Caffe has no such layer; this is the one of Synopsys' fork, which has no gradient, no
        mode and no negative paddings.
    """

    traits = Traits(
        backward_reads=frozenset(),
        recomputable=True,
        low_precision=LowPrecision.WITH_BOTTOMS,
        in_kernels=True,
    )

    def setup(self) -> None:
        self.mode = self.spec.pad_param.mode
        if self.mode != PadParameter.CONSTANT:
            self.traits = replace(self.traits, in_kernels=False)  # dx is a sum

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        shape, paddings = shapes[0], self.spec.pad_param.paddings
        if not shape or len(paddings) != 2 * len(shape):
            raise LayerError(
                f"expected two paddings for each axis of {shape_text(shape)}, "
                f"{2 * len(shape)}, got {len(paddings)}",
                (_PARAM, "paddings"),
                "before and after the first axis, before and after the second ...",
            )
        sides = list(zip(shape, paddings[::2], paddings[1::2], strict=True))
        for axis, (extent, before, after) in enumerate(sides):
            if extent and extent + min(before, 0) + min(after, 0) < 1:
                raise LayerError(
                    f"paddings {before} and {after} cut off all values of axis {axis}, which has "
                    f"{extent}",
                    (_PARAM, "paddings", 2 * axis),
                )
            if self.mode != PadParameter.CONSTANT and max(before, after) > (
                extent - 1 if self.mode == PadParameter.REFLECT else (1 << 31) * extent
            ):
                raise LayerError(
                    f"axis {axis} has {extent} values, too few for a border of "
                    f"{max(before, after)} in mode {PadParameter.Mode.Name(self.mode)}",
                    (_PARAM, "paddings", 2 * axis),
                )
        return [tuple(extent + before + after for extent, before, after in sides)]

    def build(self, shapes: Sequence[Shape]) -> None:
        """List the axes to pad, one after the other, each with the array that it is padded to."""
        (shape,), paddings = shapes, self.spec.pad_param.paddings
        if self.mode == PadParameter.CONSTANT:
            ends = zip(shape, paddings[::2], paddings[1::2], strict=True)
            self._outer, self._inner = zip(*(_inside(*each) for each in ends), strict=True)
            return
        self._steps: list[tuple[Array | None, list[_Part]]] = []
        axes = [axis for axis in range(len(shape)) if paddings[2 * axis] or paddings[2 * axis + 1]]
        for axis in axes:
            before, after = paddings[2 * axis], paddings[2 * axis + 1]
            parts = [
                ((slice(None),) * axis + (outer,), (slice(None),) * axis + (inner,))
                for outer, inner in _pieces(shape[axis], before, after, self.mode)
            ]
            shape = (*shape[:axis], shape[axis] + before + after, *shape[axis + 1 :])
            self._steps.append((None if axis == axes[-1] else self.scratch(shape), parts))

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, x, y = self.xp, bottoms[0], tops[0]
        if self.mode == PadParameter.CONSTANT:
            y.fill(self.spec.pad_param.constant_values)
            xp.copyto(y[self._outer], x[self._inner])
            return
        for padded, parts in self._steps:
            out = y if padded is None else padded
            for outer, inner in parts:
                xp.copyto(out[outer], x[inner])
            x = out
        if not self._steps:
            xp.copyto(y, x)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        xp, dy, dx = self.xp, dtops[0], dbottoms[0]
        if dx is None:
            return
        if self.mode == PadParameter.CONSTANT:
            dx.fill(0)
            xp.copyto(dx[self._inner], dy[self._outer])
            return
        inputs: list[Array] = [dx, *(padded for padded, _ in self._steps if padded is not None)]
        for (_, parts), out in zip(reversed(self._steps), reversed(inputs), strict=False):
            out.fill(0)
            for outer, inner in parts:
                part = out[inner]
                xp.add(part, dy[outer], out=part)
            dy = out
        if not self._steps:
            xp.copyto(dx, dy)


def _inside(extent: int, before: int, after: int) -> tuple[slice, slice]:
    """The values of x that y has: where they are in y, and in x."""
    first, last = max(0, -before), extent - max(0, -after)
    return slice(first + before, last + before), slice(first, last)


def _pieces(extent: int, before: int, after: int, mode: int) -> list[tuple[slice, slice]]:
    """The same, and the values of the border: each piece has no value of x twice."""
    pieces, out = [_inside(extent, before, after)], extent + before + after
    low, high = max(before, 0), max(after, 0)
    if mode == PadParameter.REFLECT:
        stop = extent - 2 - high
        pieces.append((slice(0, low), slice(low, 0, -1)))
        last = slice(extent - 2, stop if stop >= 0 else None, -1)
        pieces.append((slice(out - high, out), last if high else slice(0, 0)))
    else:
        pieces.extend((slice(k, k + 1), slice(0, 1)) for k in range(low))
        pieces.extend((slice(k, k + 1), slice(extent - 1, extent)) for k in range(out - high, out))
    return pieces
