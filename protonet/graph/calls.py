"""The passes of a net as prepared calls: what to call, in order, with which arrays."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from protonet.blob import Array, Shape
from protonet.device import Device
from protonet.graph.arrays import Arrays
from protonet.graph.casts import Cast, Role
from protonet.graph.liveness import gradient_edges
from protonet.graph.memory import Layout
from protonet.graph.names import Value
from protonet.graph.operations import weight_of
from protonet.graph.plan import Plan, Step
from protonet.kernels.kernel import Call
from protonet.layers import Layer
from protonet.layers.base import Kind, Reads
from protonet.precision import is_low_precision
from protonet.ranks.communicator import Part

if TYPE_CHECKING:
    from protonet.kernels.int8 import Coding
    from protonet.layers.at_once import AtOnce

StepCalls = tuple[int, list[Call]]
"""The index of a step and the calls that compute it: the layer's, between the casts of its
arguments."""


Following = Callable[[int], None]


def run(calls: Iterable[Call]) -> None:
    """Run the calls in order."""
    for call, arguments in calls:
        call(*arguments)


class Calls:
    """Prepares the calls of the passes over the arrays of a plan's values.

    ``loss_scale``, one number on the device, multiplies the gradients of the losses; None for 1.
    ``part`` is that of the batch, None for all.
    """

    def __init__(
        self,
        plan: Plan,
        layers: Sequence[Layer],
        layout: Layout,
        arrays: Arrays,
        device: Device,
        loss_scale: Array | None = None,
        part: Part | None = None,
    ) -> None:
        self.plan, self.layers = plan, layers
        self.layout, self.arrays, self.device = layout, arrays, device
        self.loss_scale, self.part = loss_scale, part

    def forward(self, follow: Following, follow_up: Following) -> list[list[StepCalls]]:
        """The forward pass in segments; each but the last ends where shapes may change.

        ``follow(index)`` sets the shapes of a dynamic step, and of the steps after it, for this
        pass; ``follow_up(index)`` runs after a step that may reshape its own tops and takes over
        their shapes. Both may replace the later segments.
        """
        segments: list[list[StepCalls]] = [[]]
        early = self.layout.types.early

        def end(index: int, following: Following) -> None:
            segments[-1].append((index, [(following, (index,))]))
            segments.append([])

        for index, step in enumerate(self.plan.steps):
            if index in self.layout.views or index in early or step.type == "Input":
                continue
            if step.dynamic:
                end(index, follow)
            segments[-1].append((index, self.forward_step(index)))
            if self.layers[index].traits.reshapes_tops:
                end(index, follow_up)
        return segments

    def forward_step(self, index: int) -> list[Call]:
        """The forward pass of one step, after saving what it overwrites."""
        step, pass_ = self.plan.steps[index], _Pass(self, index, backward=False)
        if _is_idle(step):
            return []
        if index in self.layout.types.chains:
            return [self._at_once(self.layout.types.chains[index])]
        copyto, arrays = self.device.xp.copyto, self.arrays
        saving: list[Call] = [
            (copyto, (arrays.saved_data[value], arrays.data[value]))
            for value in self.layout.save_before.get(index, ())
        ]
        bottoms = pass_.inputs((*step.bottoms, *step.added), Role.BOTTOM)
        tops = pass_.outputs(step.tops, self._data(step.tops), Role.TOP)
        return saving + pass_.wrap(self.layers[index].forward, bottoms, tops)

    def _at_once(self, chain: Sequence[int]) -> Call:
        """The forward pass of a chain of convolutions, or of one and a pooling."""
        first, last = self.plan.steps[chain[0]], self.plan.steps[chain[-1]]
        layers = [self.layers[index] for index in chain]
        made: AtOnce
        if layers[1].traits.kind is Kind.CONVOLUTION:
            from protonet.layers.separable import Separable  # for nets with such layers only

            made = Separable(layers)
        else:
            from protonet.layers.pooled import Pooled

            made = Pooled(layers)
        return made.forward, (self._data((*first.bottoms, *last.added)), self._data(last.tops))

    def backward(self) -> list[StepCalls]:
        """The backward pass, last step first.

        Where a value has several consumers, the first writes its gradient and the others are added.
        The entry of step ``len(plan.steps)`` sets the gradients of losses.
        """
        steps = [(len(self.plan.steps), self._loss_gradients())]
        for index in range(len(self.plan.steps) - 1, -1, -1):
            if not self.plan.steps[index].runs_backward or index in self.layout.diff_views:
                continue
            calls = [
                c for i in self.layout.recompute_before.get(index, ()) for c in self.forward_step(i)
            ]
            steps.append((index, calls + self._backward_step(index)))
        return steps

    def _backward_step(self, index: int) -> list[Call]:
        """The backward pass of one step, and the additions after it."""
        step, arrays = self.plan.steps[index], self.arrays
        targets: list[Array | None] = []
        additions: list[Call] = []
        for place, value in enumerate(step.bottoms):
            if not step.wanted[place]:
                targets.append(None)
            elif (index, place) not in self.layout.partial_diffs:
                targets.append(arrays.diff[value])
            else:
                part, total = arrays.partial_diff((index, place), value), arrays.diff[value]
                targets.append(part)
                additions.append((self._adding(value), (total, part, total)))
        if _is_idle(step):
            return self._no_gradients(index, targets) + additions
        reads, pass_ = step.reads, _Pass(self, index, backward=True)
        copyto = self.device.xp.copyto
        saving: list[Call] = [
            (copyto, (arrays.saved_diff[value], arrays.diff[value]))
            for value in self.layout.saved_diff.get(index, ())
        ]
        calls = saving + pass_.wrap(
            self.layers[index].backward,
            pass_.inputs(step.tops, Role.DTOP),
            pass_.inputs(step.bottoms, Role.BOTTOM, read=Reads.BOTTOMS in reads),
            pass_.inputs(step.tops, Role.TOP, read=Reads.TOPS in reads),
            pass_.outputs(step.bottoms, targets, Role.DBOTTOM),
        )
        return calls + additions

    def _no_gradients(self, index: int, targets: Sequence[Array | None]) -> list[Call]:
        """The backward pass of an idle step: zeros where it would have written."""
        layer = self.layers[index]
        params = [p for each in (layer, *layer.fused.layers) for p in each.params if p.rewritten]
        written = [*targets, *(param.diff for param in params)]
        return [(array.fill, (0,)) for array in written if array is not None]

    def _adding(self, value: Value) -> Callable[..., None]:
        from protonet.kernels.combine import Combine  # to train

        return Combine.make(self.device, self.layout.types.of(value), value.shape or (), 2).add

    def _data(self, values: Sequence[Value]) -> list[Array | None]:
        return [self.arrays.data[value] for value in values]

    def _loss_gradients(self) -> list[Call]:
        """Set the gradient of each loss to its weight: now where nothing overwrites it, otherwise
        at the start of every backward pass, by the calls returned.
        """
        calls: list[Call] = []
        layout, arrays = self.layout, self.arrays
        holders = Counter(layout.diff_storage.values())
        for value in self.plan.values:
            if not value.loss_weight:
                continue
            weight = weight_of(self.plan, value, self.part)
            call: Call = (arrays.diff[value].fill, (weight,))
            if self.loss_scale is not None:
                scaled = (self.loss_scale, weight, arrays.diff[value])
                call = (self.device.xp.multiply, scaled)
            at = layout.diff_storage[value]
            again = holders[at] > 1 or bool(gradient_edges(self.plan, value))
            again |= self.part is not None and bool(self.plan.varying)  # its share varies, too
            if again or self.loss_scale is not None:
                calls.append(call)
            if layout.offsets[at] is None:
                call[0](*call[1])
        return calls


def _is_idle(step: Step) -> bool:
    """Whether there is nothing to compute: an empty batch, as a Filter may produce. No kernels are
    made for it; a user's own layers run all the same.
    """
    empty = bool(step.tops) and not any(value.count for value in step.tops)
    return empty and bool(step.bottoms) and not step.dynamic


def decoding(device: Device, shape: Shape, coding: Coding, source: Array, target: Array) -> Call:
    """The call that writes the values of 8-bit codes to ``target``."""
    from protonet.kernels.int8_values import Int8Decode  # for quantized nets only

    items, channels, *extents = shape
    kernel = Int8Decode.make(device, target.dtype, items, channels, math.prod(extents), coding)
    return kernel.forward, (source, target)


def rearranging(
    device: Device, value: Value, source: Array, target: Array, *, pixels: bool
) -> Call:
    """The call that writes planes as pixels, or pixels as planes."""
    from protonet.kernels.pixels import Rearrange  # for nets that only answer

    planes, narrow = (source, target.dtype) if pixels else (target, source.dtype)
    wide = planes.dtype != narrow
    kernel = Rearrange.make(device, narrow, value.shape, wide)
    return kernel.to_pixels if pixels else kernel.to_planes, (source, target)


class _Pass:
    """The arguments of a step in one of its passes, in the type that it computes in."""

    def __init__(self, calls: Calls, index: int, *, backward: bool) -> None:
        self._calls, self._index, self._backward = calls, index, backward
        self._before: list[Call] = []
        self._after: list[Call] = []

    def wrap(self, call: Callable[..., None], *arguments: Any) -> list[Call]:
        """The call of the layer, between the casts of its arguments."""
        return [*self._before, (call, arguments), *self._after]

    def inputs(self, values: Sequence[Value], role: Role, *, read: bool = True) -> list[Array]:
        """The arrays that a layer reads; without ``read`` it does not look at them: no casts."""
        arrays = []
        for place, value in enumerate(values):
            array = self._current(value, role)
            if read and self._calls.layout.types.needs_cast(self._index, value):
                cast = self._cast(role, place, value)
                self._before.append(self._conversion(array, cast, value, writes=False))
                array = cast
            arrays.append(array)
        return arrays

    def outputs(
        self, values: Sequence[Value], targets: Sequence[Array | None], role: Role
    ) -> list[Array | None]:
        """The arrays that a layer writes; None for those that are not wanted."""
        arrays: list[Array | None] = []
        for place, (value, target) in enumerate(zip(values, targets, strict=True)):
            array = target
            if target is not None and self._calls.layout.types.needs_cast(self._index, value):
                array = self._cast(role, place, value)
                self._after.append(self._conversion(array, target, value, writes=True))
            arrays.append(array)
        return arrays

    def _current(self, value: Value, role: Role) -> Array:
        """The array of a value, or of its gradient, at the start of the pass."""
        arrays, saved = self._calls.arrays, self._calls.layout.saved_diff.get(self._index)
        if role is Role.DTOP:
            return arrays.saved_diff[value] if saved and value in saved else arrays.diff[value]
        if value in arrays.saved_data and (self._backward or saved is not None):
            return arrays.saved_data[value]
        return arrays.data[value]

    def _cast(self, role: Role, place: int, value: Value) -> Array:
        return self._calls.arrays.cast(Cast(self._index, self._backward, role, place), value)

    def _conversion(self, source: Array, target: Array, value: Value, *, writes: bool) -> Call:
        """The call that casts one array of a value into another; ``writes`` what a step wrote."""
        coding = self._calls.layout.types.codes.get(value)
        if coding is not None:
            return decoding(self._calls.device, value.shape, coding, source, target)
        types = self._calls.layout.types
        used, stored = types.takes_pixels(self._index, value), value in types.pixels
        if used != stored:
            to = stored if writes else used
            return rearranging(self._calls.device, value, source, target, pixels=to)
        from protonet.kernels.convert import Convert  # for nets of mixed types only

        narrows = is_low_precision(target.dtype)
        narrow = target.dtype if narrows else source.dtype
        kernel = Convert.make(self._calls.device, narrow, source.size)
        return (kernel.narrow if narrows else kernel.widen, (source, target))
