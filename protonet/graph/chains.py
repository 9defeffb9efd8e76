"""Chains of steps over pixels that are computed at once."""

from __future__ import annotations

from collections.abc import Mapping

from protonet.graph.names import Value
from protonet.graph.plan import Plan, Step
from protonet.graph.types import Types
from protonet.kernels.bands import fits_bands
from protonet.kernels.convolution import ConvolutionShape
from protonet.layers.base import Kind

Chains = Mapping[int, tuple[int, ...]]
"""Of the last step of a chain, all of them."""


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
    return shape if fits_bands(types.in_step(index), shape) else None


def written(plan: Plan, step: Step) -> Value:
    """What a step writes, after the steps that it absorbed."""
    return plan.steps[step.absorbed[-1]].tops[0] if step.absorbed else step.tops[0]


def only_reader(plan: Plan, value: Value) -> int | None:
    """The only step that reads a value; None if there is another, or the value is shown."""
    if len(value.consumers) != 1 or value.loss_weight or value in plan.kept.union(plan.outputs):
        return None
    return value.consumers[0][0]


def behind(plan: Plan, index: int) -> int | None:
    """The only reader of what a step writes."""
    return only_reader(plan, written(plan, plan.steps[index]))


def is_alone(plan: Plan, chain: tuple[int, ...]) -> bool:
    """Whether no other step runs between those of a chain."""
    between = range(chain[0], chain[-1])
    return all(at in chain or plan.steps[at].absorbed_by in chain for at in between)
