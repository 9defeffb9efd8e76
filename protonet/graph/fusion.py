"""Which layers are computed by the passes of the layer before them: bias and rectification with a
convolution, BatchNorm with Scale and ReLU.
"""

from __future__ import annotations

from protonet.graph.names import Value
from protonet.graph.plan import Plan, Step


def fuse(plan: Plan, *, gradients: bool, visible: bool) -> None:
    """Let layers absorb those that follow them, where they can and nobody else looks between.

    Args:
        plan: its layers are told what they absorbed; what an earlier net had them absorb is
            forgotten.
        gradients: whether backward passes will run.
        visible: every blob must have its own values when somebody reads it by its name, so that
            only layers that work in place are absorbed.
    """
    unfuse(plan)
    outputs = set(plan.outputs)
    for step in plan.steps:
        if step.layer.absorbed_by is not None:
            continue
        last = step
        while (follower := _only_reader(plan, last, outputs)) is not None:
            if visible and follower.tops[0].name != last.tops[0].name:
                break
            if gradients and not _same_gradients(step, follower):
                break
            if not step.layer.absorbs(follower.layer, gradients=gradients):
                break
            step.layer.absorbed.append(follower.layer)
            follower.layer.absorbed_by = step.layer
            last = follower


def unfuse(plan: Plan) -> None:
    """Let every layer compute itself alone."""
    for step in plan.steps:
        step.layer.absorbed.clear()
        step.layer.absorbed_by = None


def fusions(plan: Plan) -> list[tuple[str, list[str]]]:
    """The names of layers that absorbed others, with the names of those."""
    return [
        (step.name, [layer.name for layer in step.layer.absorbed])
        for step in plan.steps
        if step.layer.absorbed
    ]


def _only_reader(plan: Plan, step: Step, outputs: set[Value]) -> Step | None:
    """The one step that reads the one top of ``step``, if it reads and makes nothing else."""
    if len(step.tops) != 1 or step.layer.dynamic:
        return None
    value = step.tops[0]
    if len(value.consumers) != 1 or value in outputs or value.loss_weight:
        return None
    reader = plan.steps[value.consumers[0][0]]
    if len(reader.bottoms) != 1 or len(reader.tops) != 1 or reader.layer.dynamic:
        return None
    return reader if reader.bottoms[0].shape == reader.tops[0].shape else None


def _same_gradients(step: Step, follower: Step) -> bool:
    """Whether either both run backward, the follower to its bottom too, or none does."""
    if not follower.runs_backward:
        return not step.runs_backward
    return step.runs_backward and follower.wanted[0]
