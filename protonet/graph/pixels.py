"""Which values of a plan hold pixels, the channels of a place adjacent, and which layers take them.

On CPUs products of bfloat16, and of float32 with weights that are packed once, are fastest over
pixels (``kernels.pixels``). In a net without gradients whose values are not shown, convolutions
write pixels, and layers that can (``Traits.pixels``) keep them. Other layers get planes in a cast,
as do outputs and values that are seen in another shape.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from protonet.blob import Pixels
from protonet.device import Device
from protonet.graph.chains import Chains, convolution
from protonet.graph.names import Value
from protonet.graph.plan import Plan, Step
from protonet.graph.pooled import pooled
from protonet.graph.types import Types
from protonet.kernels.convolution import DEPTHWISE
from protonet.kernels.kernel import processor_of
from protonet.kernels.pixels import NativeConvolvePixels, can_hold_pixels
from protonet.layers.base import Kind


def with_pixels(plan: Plan, device: Device, types: Types, *, keep_weights: bool) -> Types:
    """The types of a plan, with pixels where layers of bfloat16 can write them, or all layers of a
    net in float32 that keeps its weights.
    """
    steps_of = range(len(plan.steps))
    computed = {index for index in steps_of if types.in_step(index).name == "bfloat16"}
    if keep_weights and not types.steps and not types.codes and types.wide == np.float32:
        computed.update(steps_of)
    names = {types.in_step(index).name for index in computed}
    if (
        not names
        or processor_of(device) != "native"
        or not all(map(NativeConvolvePixels.stores, names))
    ):
        return types
    fixed = _in_planes(plan)
    pixels: set[Value] = set()
    steps: dict[int, frozenset[Value]] = {}
    for index, step in enumerate(plan.steps):
        if step.is_view and step.bottoms:
            tops = enumerate(step.tops)
            pixels.update(top for place, top in tops if step.beneath(place) in pixels)
        elif index in computed and _takes_pixels(step, pixels):
            writes = [top for top in step.tops if can_hold_pixels(top.shape)]
            reads = [bottom for bottom in step.bottoms if can_hold_pixels(bottom.shape)]
            if step.layer.traits.kind is Kind.CONVOLUTION:
                reads = [bottom for bottom in reads if bottom in pixels]
            added = [value for value in step.added if can_hold_pixels(value.shape)]
            steps[index] = frozenset([*reads, *added, *writes])
            pixels.update(top for top in writes if top not in fixed)
    found = replace(types, pixels=frozenset(pixels), in_pixels=steps)
    chains = _separable(plan, found)
    taken = {index for chain in chains.values() for index in chain}
    return replace(found, chains={**chains, **pooled(plan, found, taken)})


def _separable(plan: Plan, types: Types) -> Chains:
    """The chains of depthwise separable convolutions."""
    shapes = (convolution(plan, types, index) for index in range(len(plan.steps)))
    if not any(shape is not None and DEPTHWISE.holds(shape[2], shape[4]) for shape in shapes):
        return {}
    from protonet.graph.separable import separable  # for nets with such layers only

    return separable(plan, types)


def form_of(types: Types, index: int, step: Step) -> Pixels:
    """What a step takes and writes."""
    if index not in types.in_pixels:
        return Pixels.NONE
    taken = types.in_pixels[index]
    planes = any(can_hold_pixels(each.shape) and each not in taken for each in step.bottoms)
    return Pixels.WRITTEN if planes else Pixels.ALL


def _takes_pixels(step: Step, pixels: set[Value]) -> bool:
    """Whether a step computes on pixels: every convolution does, others if a bottom is."""
    shapes = [value.shape for value in (*step.bottoms, *step.tops)]
    if not step.layer.traits.pixels or any(shape is None or len(shape) != 4 for shape in shapes):
        return False
    return step.layer.traits.kind is Kind.CONVOLUTION or not pixels.isdisjoint(step.bottoms)


def _in_planes(plan: Plan) -> set[Value]:
    """Values that must be planes: outputs, those that shapes depend on, and those in one memory
    with values of other shapes.
    """
    shown = plan.kept.union(plan.outputs)
    first: dict[Value, Value] = {}
    found: set[Value] = set()
    for step in plan.steps:
        if step.dynamic:
            found.update(first[bottom] for bottom in step.bottoms)
        for place, top in enumerate(step.tops):
            below = step.beneath(place) if step.is_view else None
            first[top] = top if below is None else first[below]
            if top in shown or top.loss_weight or top.shape != first[top].shape:
                found.add(first[top])
    return {value for value, memory in first.items() if memory in found}
