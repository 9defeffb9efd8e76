"""The passes of a net as prepared calls: what to call, in order, with which arrays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from protonet.blob import Array
from protonet.graph.arrays import Arrays, view
from protonet.graph.memory import Layout, gradient_edges
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
    scratch = arrays.scratch(_most_added(plan))
    for index in range(len(plan.steps) - 1, -1, -1):
        step = plan.steps[index]
        if step.runs_backward and index not in layout.diff_views:
            steps.append((index, _backward_step(plan, index, step, arrays, scratch)))
    return steps


def _backward_step(
    plan: Plan, index: int, step: Step, arrays: Arrays, scratch: Array
) -> list[Call]:
    """The backward pass of one step, and the additions after it."""
    targets: list[Array | None] = []
    additions: list[Call] = []
    used = 0
    for place, value in enumerate(step.bottoms):
        if not step.wanted[place]:
            targets.append(None)
        elif _writes(plan, index, step, place):
            targets.append(arrays.diff[value])
        else:
            part = view(scratch[used : used + value.count], value.shape)
            used += value.count
            targets.append(part)
            total = arrays.diff[value]
            additions.append((arrays.add, (total, part, total)))
    arguments = (
        [arrays.diff[v] for v in step.tops],
        [arrays.data[v] for v in step.bottoms],
        [arrays.data[v] for v in step.tops],
        targets,
    )
    return [(step.layer.backward, arguments), *additions]


def _writes(plan: Plan, index: int, step: Step, place: int) -> bool:
    """Whether this gradient is the first of its value, written in place; others are added."""
    value = step.bottoms[place]
    return not value.loss_weight and gradient_edges(plan, value)[0] == (index, place)


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
        call[0](*call[1])
        if holders[layout.diff_storage[value]] > 1 or gradient_edges(plan, value):
            calls.append(call)
    return calls


def _most_added(plan: Plan) -> int:
    """The elements of the gradients that any one step adds to others."""
    return max(
        (
            sum(
                value.count
                for place, value in enumerate(step.bottoms)
                if step.wanted[place] and not _writes(plan, index, step, place)
            )
            for index, step in enumerate(plan.steps)
            if step.runs_backward
        ),
        default=0,
    )
