"""Which convolutions are computed at once: depthwise separable ones over pixels.

What is between them has no memory: the values are of no other step, and only some rows of them
exist at a time. All run when the last of them does.
"""

from __future__ import annotations

from collections.abc import Mapping

from protonet.graph.names import Value
from protonet.graph.plan import Plan, Step
from protonet.graph.types import Types
from protonet.kernels.convolution import ConvolutionShape
from protonet.kernels.separable import expands_well, is_of, is_pointwise, is_rolled, projects_well
from protonet.layers.base import Kind

Chains = Mapping[int, tuple[int, ...]]
"""Of the last step of a chain, all of them."""


def separable(plan: Plan, types: Types) -> Chains:
    """The chains of two or three convolutions of a plan whose steps take pixels."""
    found: dict[int, tuple[int, ...]] = {}
    for index, step in enumerate(plan.steps):
        shape = convolution(plan, types, index)
        if shape is None or not is_rolled(shape) or step.added:
            continue
        last, before = behind(plan, index), _before(plan, index)
        project = None if last is None else convolution(plan, types, last)
        if last is None or project is None or not is_pointwise(project):
            continue
        if not projects_well(shape, project) or not is_alone(plan, (index, last)):
            continue
        found[last] = (index, last)
        expand = None if before is None else convolution(plan, types, before)
        if before is None or before in found or expand is None or not is_pointwise(expand):
            continue
        if expands_well(expand, shape) and is_alone(plan, (before, index, last)):
            found[last] = (before, index, last)
    return found


def convolution(
    plan: Plan, types: Types, index: int, *, planes: bool = False
) -> ConvolutionShape | None:
    """The shape of a step that is a convolution of pixels into pixels, of a type that can be
    computed at once; or of ``planes``, too.
    """
    step = plan.steps[index]
    if index not in types.in_pixels:
        return None
    if step.layer.traits.kind is not Kind.CONVOLUTION or len(step.bottoms) != 1:
        return None
    values = (*(() if planes else step.bottoms), *step.added, *step.tops)
    if not types.pixels.issuperset(values) or any(
        types.needs_cast(index, value) for value in (*step.bottoms, *values)
    ):
        return None
    from protonet.layers.convolution import Convolution  # imported by nets with such layers only

    layer = step.layer
    if not isinstance(layer, Convolution) or type(layer).forward is not Convolution.forward:
        return None
    shape = layer.kernel_for(step.shapes)
    return shape if is_of(types.in_step(index), shape) else None


def _last(plan: Plan, step: Step) -> Value:
    """What a step writes, after the steps that it absorbed."""
    return plan.steps[step.absorbed[-1]].tops[0] if step.absorbed else step.tops[0]


def _reader(plan: Plan, value: Value) -> int | None:
    """The only step that reads a value; None if there is another, or the value is shown."""
    if len(value.consumers) != 1 or value.loss_weight or value in plan.kept.union(plan.outputs):
        return None
    return value.consumers[0][0]


def behind(plan: Plan, index: int) -> int | None:
    """The only reader of what a step writes."""
    return _reader(plan, _last(plan, plan.steps[index]))


def _before(plan: Plan, index: int) -> int | None:
    """The step whose result only this one reads, without an addend."""
    value = plan.steps[index].bottoms[0]
    producer = plan.steps[value.producer]
    made = value.producer if producer.absorbed_by is None else producer.absorbed_by
    alone = _reader(plan, value) == index and _last(plan, plan.steps[made]) is value
    return made if alone and not plan.steps[made].added else None


def is_alone(plan: Plan, chain: tuple[int, ...]) -> bool:
    """Whether no other step runs between those of a chain."""
    between = range(chain[0], chain[-1])
    return all(at in chain or plan.steps[at].absorbed_by in chain for at in between)
