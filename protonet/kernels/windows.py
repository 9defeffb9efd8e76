"""Windows that slide over the last axes of an array: what convolution and pooling have in common.

An output place o looks at the input places o * stride - pad + k * dilation for every k of the
kernel. Turned around: for each k, a slice of the outputs meets a slice of the inputs. So a whole
array is handled by as many slice operations as the kernel has places, in any number of axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

from protonet.blob import Array, Shape

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
        axes = [
            [self._meet(axis, k) for k in range(extent)] for axis, extent in enumerate(self.kernel)
        ]
        found = []
        for index in product(*(range(extent) for extent in self.kernel)):
            pairs = [axes[axis][k] for axis, k in enumerate(index)]
            if all(pair is not None for pair in pairs):
                outs, ins = zip(*(pair for pair in pairs if pair is not None), strict=True)
                found.append((index, tuple(outs), tuple(ins)))
        return found

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

    @property
    def is_identity(self) -> bool:
        """Whether each output looks at the input of the same place and at nothing else."""
        return all(k == 1 for k in self.kernel) and self.inputs == self.outputs

    def unroll(self, x: Array, columns: Array) -> None:
        """Write image ``x`` (c, *inputs) to ``columns`` (c, *kernel, *outputs).

        Values that lie in the padding are not written: ``columns`` must be 0 there.
        """
        for index, outs, ins in self.places:
            columns[(slice(None), *index, *outs)] = x[(slice(None), *ins)]

    def roll(self, xp: Any, columns: Array, x: Array) -> None:
        """The transpose of ``unroll``: add up the columns in ``x``, which is overwritten."""
        x.fill(0)
        for index, outs, ins in self.places:
            part = x[(slice(None), *ins)]
            xp.add(part, columns[(slice(None), *index, *outs)], out=part)


def window_outputs(
    inputs: Shape, kernel: Shape, stride: Shape, pad: Shape, dilation: Shape
) -> Shape:
    """How often a kernel fits: floor((input + 2 pad - extent) / stride) + 1 along each axis."""
    return tuple(
        (i + 2 * p - (d * (k - 1) + 1)) // s + 1
        for i, k, s, p, d in zip(inputs, kernel, stride, pad, dilation, strict=True)
    )


def spread(given: Sequence[int], axes: int, default: int) -> Shape:
    """One number for each axis: as given, one for all, or the default."""
    if not given:
        return (default,) * axes
    return tuple(given) * (axes if len(given) == 1 else 1)
