"""The passes of a net as prepared calls: what to call, in order, with which arrays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from protonet.blob import Array
from protonet.graph.arrays import Arrays
from protonet.graph.lives import gradient_edges
from protonet.graph.memory import Layout
from protonet.graph.plan import Plan, Step

Call = tuple[Callable[..., Any], tuple[Any, ...]]
StepCall = tuple[int, Call]
"""A call, and the index of the step that it computes (of several, the first)."""


def forward_call(step: Step, arrays: Arrays) -> Call:
    """The forward pass of one step."""
    return (
        step.layer.forward,
        ([arrays.data[v] for v in step.bottoms], [arrays.data[v] for v in step.tops]),
    )


def forward_calls(
    plan: Plan, layout: Layout, arrays: Arrays, follow: Callable[[int], None]
) -> list[list[StepCall]]:
    """The forward pass in segments; each but the last ends where a dynamic step is measured.

    ``follow(index)`` gives a dynamic step, and what comes after it, the shapes of this pass: it
    may replace the segments that come after.
    """
    segments: list[list[StepCall]] = [[]]
    for index, step in enumerate(plan.steps):
        if index in layout.views or step.type == "Input":
            continue
        if step.layer.dynamic:
            segments[-1].append((index, (follow, (index,))))
            segments.append([])
        segments[-1].append((index, forward_call(step, arrays)))
    return segments


def backward_calls(plan: Plan, layout: Layout, arrays: Arrays) -> list[tuple[int, list[Call]]]:
    """The backward pass as (step, its calls), last step first.

    Where a value has several consumers, the first writes its gradient and others are added. The
    entry of step ``len(plan.steps)`` sets the gradients of losses.
    """
    steps = [(len(plan.steps), _loss_gradients(plan, layout, arrays))]
    for index in range(len(plan.steps) - 1, -1, -1):
        if not plan.steps[index].runs_backward or index in layout.diff_views:
            continue
        again = [forward_call(plan.steps[i], arrays) for i in layout.again.get(index, ())]
        steps.append((index, again + _backward_step(plan, layout, index, arrays)))
    return steps


def _backward_step(plan: Plan, layout: Layout, index: int, arrays: Arrays) -> list[Call]:
    """The backward pass of one step, and the additions after it."""
    step = plan.steps[index]
    targets: list[Array | None] = []
    additions: list[Call] = []
    for place, value in enumerate(step.bottoms):
        if not step.wanted[place]:
            targets.append(None)
        elif (index, place) not in layout.parts:
            targets.append(arrays.diff[value])
        else:
            part, total = arrays.part((index, place), value), arrays.diff[value]
            targets.append(part)
            additions.append((arrays.add, (total, part, total)))
    arguments = (
        [arrays.diff[v] for v in step.tops],
        [arrays.data[v] for v in step.bottoms],
        [arrays.data[v] for v in step.tops],
        targets,
    )
    return [(step.layer.backward, arguments), *additions]


def _loss_gradients(plan: Plan, layout: Layout, arrays: Arrays) -> list[Call]:
    """Set the gradient of each loss to its weight: now where nothing else writes there, otherwise
    at the start of every backward pass, by the calls returned.
    """
    calls: list[Call] = []
    holders = Counter(layout.diff_storage.values())
    for value in plan.values:
        if not value.loss_weight:
            continue
        call: Call = (arrays.diff[value].fill, (value.loss_weight,))
        at = layout.diff_storage[value]
        if holders[at] > 1 or gradient_edges(plan, value):
            calls.append(call)
        if layout.offsets[at] is None:
            call[0](*call[1])
    return calls
