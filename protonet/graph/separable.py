"""Which convolutions are computed at once: depthwise separable ones over pixels.

What is between them has no memory: the values are of no other step, and only some rows of them
exist at a time. All run when the last of them does.
"""

from __future__ import annotations

from protonet.graph.chains import Chains, behind, convolution, is_alone, only_reader, written
from protonet.graph.plan import Plan
from protonet.graph.types import Types
from protonet.kernels.separable import expands_well, is_pointwise, is_rolled, projects_well


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


def _before(plan: Plan, index: int) -> int | None:
    """The step whose result only this one reads, without an addend."""
    value = plan.steps[index].bottoms[0]
    producer = plan.steps[value.producer]
    made = value.producer if producer.absorbed_by is None else producer.absorbed_by
    alone = only_reader(plan, value) == index and written(plan, plan.steps[made]) is value
    return made if alone and not plan.steps[made].added else None
