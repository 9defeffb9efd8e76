"""Windows that slide over the last axes of an array: what convolution and pooling have in common.

An output place o reads the input places o * stride - pad + k * dilation for every k of the
kernel. Conversely: for each k, a slice of the outputs meets a slice of the inputs. So a whole
array is handled by as many slice operations as the kernel has places, in any number of axes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import Any

from protonet.blob import Array, Shape
from protonet.kernels.kernel import Condition

Slices = tuple[slice, ...]


@dataclass(frozen=True)
class Windows:
    """Geometry of windows; every field has one number for each of the sliding axes."""

    inputs: Shape
    kernel: Shape
    stride: Shape
    pad: Shape
    dilation: Shape
    outputs: Shape

    @cached_property
    def places(self) -> list[tuple[Shape, Slices, Slices]]:
        """For each place of the kernel, in row-major order: its index, and the slices of outputs
        and inputs that meet there. Places that meet the padding only are left out.
        """
        axes = [self._met(axis) for axis in range(len(self.kernel))]
        found = []
        for chosen in product(*axes):
            index, outs, ins = zip(*chosen, strict=True)
            found.append((index, outs, ins))
        return found

    def _met(self, axis: int) -> list[tuple[int, slice, slice]]:
        """The places of the kernel along one axis that meet the input. Only possible ones are
        searched, since a kernel may be far larger than its input.
        """
        step, extent, outputs = self.dilation[axis], self.inputs[axis], self.outputs[axis]
        first, last = self._reach(axis, outputs - 1)[0], self._reach(axis, 0)[1]
        seen: Iterable[int] = range(first, last + 1)
        if last - first > outputs * (extent // step + 1):  # with wide gaps between
            reaches = (self._reach(axis, o) for o in range(outputs))
            seen = sorted({k for low, high in reaches for k in range(low, high + 1)})
        meetings = ((k, self._meet(axis, k)) for k in seen)
        return [(k, *slices) for k, slices in meetings if slices is not None]

    def _reach(self, axis: int, output: int) -> tuple[int, int]:
        """The first and the last place of the kernel with which an output reads the input."""
        step, begin = self.dilation[axis], output * self.stride[axis] - self.pad[axis]
        last = (self.inputs[axis] - 1 - begin) // step
        return max(0, -(begin // step)), min(self.kernel[axis] - 1, last)

    def _meet(self, axis: int, k: int) -> tuple[slice, slice] | None:
        """The outputs along one axis whose k-th place is inside the input, and those inputs."""
        stride = self.stride[axis]
        shift = k * self.dilation[axis] - self.pad[axis]
        first = max(0, -(shift // stride))
        last = min(self.outputs[axis] - 1, (self.inputs[axis] - 1 - shift) // stride)
        if last < first:
            return None
        start = first * stride + shift
        return slice(first, last + 1), slice(start, last * stride + shift + 1, stride)

    @cached_property
    def effective(self) -> Windows:
        """The same windows, with 1 where a value has no effect: the stride of a single window, and
        the dilation of a single place.
        """
        stride = (s if o > 1 else 1 for s, o in zip(self.stride, self.outputs, strict=True))
        dilation = (d if k > 1 else 1 for d, k in zip(self.dilation, self.kernel, strict=True))
        return replace(self, stride=tuple(stride), dilation=tuple(dilation))

    @property
    def in_two_axes(self) -> Windows:
        """Windows over one axis as those over a plane of one row; over two as they are."""
        if len(self.inputs) == 2:
            return self
        (inputs,), (kernel,), (stride,) = self.inputs, self.kernel, self.stride
        (pad,), (dilation,), (outputs,) = self.pad, self.dilation, self.outputs
        return Windows((1, inputs), (1, kernel), (1, stride), (0, pad), (1, dilation), (1, outputs))

    @cached_property
    def is_modest(self) -> bool:
        """Whether the tables of compiled kernels (padded planes, an entry for each place of the
        kernel, a list for each remainder modulo the stride) are in proportion to the input.
        """
        w, plane = self.effective, math.prod(self.inputs)
        padded = [i + 2 * p for i, p in zip(w.inputs, w.pad, strict=True)]
        moves = (*zip(w.stride, padded, strict=True), *zip(w.dilation, padded, strict=True))
        return (
            math.prod(padded) <= 64 * plane + (1 << 22)
            and math.prod(w.kernel) <= plane + (1 << 16)
            and all(move <= extent for move, extent in moves)
            and math.prod(map(min, w.stride, w.inputs)) <= 1 << 14
        )

    @property
    def is_identity(self) -> bool:
        """Whether each output reads the input of the same place and nothing else."""
        unpadded = all(k == 1 and p == 0 for k, p in zip(self.kernel, self.pad, strict=True))
        return unpadded and self.inputs == self.outputs

    def im2col(self, x: Array, columns: Array) -> None:
        """Write image ``x`` (c, *inputs) to ``columns`` (c, *kernel, *outputs).

        Values that lie in the padding are not written: ``columns`` must be 0 there.
        """
        for index, outs, ins in self.places:
            columns[(slice(None), *index, *outs)] = x[(slice(None), *ins)]

    def col2im(self, xp: Any, columns: Array, x: Array) -> None:
        """The transpose of ``im2col``: accumulate the columns into ``x``, which is overwritten."""
        x.fill(0)
        for index, outs, ins in self.places:
            part = x[(slice(None), *ins)]
            xp.add(part, columns[(slice(None), *index, *outs)], out=part)


MODEST = Condition(
    "padding, stride and kernel in proportion to the image", lambda w, *_, **__: w.is_modest
)
"""Of kernels whose first argument is the windows."""

ADJACENT = Condition("dilation 1", lambda w, *_, **__: all(d == 1 for d in w.dilation))
"""Of the same kernels: the values of a window are next to each other."""


def window_outputs(
    inputs: Shape, kernel: Shape, stride: Shape, pad: Shape, dilation: Shape
) -> Shape:
    """The number of windows: floor((input + 2 pad - extent) / stride) + 1 along each axis."""
    return tuple(
        (i + 2 * p - (d * (k - 1) + 1)) // s + 1
        for i, k, s, p, d in zip(inputs, kernel, stride, pad, dilation, strict=True)
    )


def per_axis(given: Sequence[int], axes: int, default: int) -> Shape:
    """One number for each axis: as given, one for all, or the default."""
    if not given:
        return (default,) * axes
    return tuple(given) * (axes if len(given) == 1 else 1)
