"""When the values of a plan and their gradients are needed.

Moments of an iteration of n steps: step i runs forward at i; the gradients of losses are set at
n; step i runs backward at 2n - i. What is read after the passes lives until the end, 2n + 1.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from protonet.graph.names import Value
from protonet.graph.packing import Spans
from protonet.graph.plan import Plan, Step
from protonet.layers.base import Reads


@dataclass(frozen=True)
class DataLives:
    """``spans[s]`` is when storage s is needed, None for always. Before step r runs backward, the
    steps ``again[r]`` run forward once more.
    """

    spans: list[Spans | None]
    again: dict[int, tuple[int, ...]]


def end_of(plan: Plan) -> int:
    """The moment after both passes."""
    return 2 * len(plan.steps) + 1


def backward_moment(plan: Plan, index: int) -> int:
    """When a step runs backward."""
    return 2 * len(plan.steps) - index


def data_lives(
    plan: Plan,
    holders: Sequence[Sequence[Value]],
    storage: Mapping[Value, int],
    views: Collection[int],
    *,
    gradients: bool,
    recompute: bool,
) -> DataLives:
    """When the storages of the values' data are needed."""
    after = {*plan.outputs, *(value for value in plan.values if value.loss_weight)}
    spans: list[Spans | None] = []
    reads: list[list[int]] = []
    for held in holders:
        reads.append(
            sorted({t for v in held for t in _backward_reads(plan, v)} if gradients else ())
        )
        if any(_stays(plan.steps[value.producer], gradients) for value in held):
            spans.append(None)
            continue
        moments = [value.producer for value in held] + reads[-1]
        moments += [step for value in held for step, _ in value.consumers]
        last = end_of(plan) if after.intersection(held) else max(moments)
        spans.append(((min(moments), last),))
    again: dict[int, tuple[int, ...]] = {}
    if gradients and recompute and not any(step.dynamic for step in plan.steps):
        again = _shorten(plan, holders, storage, views, spans, reads)
    return DataLives(spans, again)


def _stays(step: Step, gradients: bool) -> bool:
    """Whether the tops of a step keep memory of their own: what a caller writes, or a user's layer
    may write only once; and, in training, what cannot be computed again from the tops of other
    steps, so that a pass can be repeated to see where it went wrong.
    """
    if step.layer.traits.keeps_tops or (step.dynamic and not step.bottoms):
        return True
    return gradients and not step.can_repeat


def _backward_reads(plan: Plan, value: Value) -> list[int]:
    """The moments at which backward passes look at a value."""
    producer = plan.steps[value.producer]
    readers = [
        index
        for index, _ in value.consumers
        if plan.steps[index].runs_backward and Reads.BOTTOMS in plan.steps[index].reads
    ]
    if producer.runs_backward and Reads.TOPS in producer.reads:
        readers.append(value.producer)
    return [backward_moment(plan, index) for index in readers]


def _shorten(
    plan: Plan,
    holders: Sequence[Sequence[Value]],
    storage: Mapping[Value, int],
    views: Collection[int],
    spans: list[Spans | None],
    reads: Sequence[Sequence[int]],
) -> dict[int, tuple[int, ...]]:
    """Free what cheap layers made after its last forward reader, where what they made it from is
    there until a backward pass needs it; returns what runs again, and before which step.
    """
    again: dict[int, tuple[int, ...]] = {}
    absorbed = {i for i, step in enumerate(plan.steps) if step.absorbed_by is not None}
    for place, held in enumerate(holders):
        span, times = spans[place], reads[place]
        if span is None or not times or span[0][1] > max(times):
            continue
        makers = sorted({value.producer for value in held} - absorbed)
        if not all(plan.steps[i].layer.traits.recomputable and i not in views for i in makers):
            continue
        sources = {v for i in makers for v in plan.steps[i].bottoms if storage[v] != place}
        if not all(
            _there(spans[storage[source]], times[0]) and holders[storage[source]][-1] is source
            for source in sources
        ):
            continue
        ahead = max([*makers, *(step for value in held for step, _ in value.consumers)])
        spans[place] = ((makers[0], ahead), (times[0], times[-1]))
        reader = 2 * len(plan.steps) - times[0]
        again[reader] = tuple(sorted({*again.get(reader, ()), *makers}))
    return again


def _there(spans: Spans | None, moment: int) -> bool:
    """Whether an array is kept from its making to this moment."""
    return spans is None or (len(spans) == 1 and spans[0][1] >= moment)


def gradient_edges(plan: Plan, value: Value) -> list[tuple[int, int]]:
    """The (step, bottom index) pairs that send a gradient to ``value``, last step first."""
    return sorted(
        (
            (step, place)
            for step, place in value.consumers
            if plan.steps[step].runs_backward and plan.steps[step].wanted[place]
        ),
        reverse=True,
    )


def diff_lives(plan: Plan, holders: Sequence[Sequence[Value]]) -> list[Spans | None]:
    """When the storages of gradients are needed; None for those that are set once: the weight of
    a loss, and zeros for a top that nobody sends a gradient.
    """
    lives: list[Spans | None] = []
    for held in holders:
        edges = [gradient_edges(plan, value) for value in held]
        written = (bool(sent or v.loss_weight) for sent, v in zip(edges, held, strict=True))
        if not any(edges) or not all(written):
            lives.append(None)
            continue
        moments = [backward_moment(plan, step) for each in edges for step, _ in each]
        for value in held:
            if value.loss_weight:
                moments.append(len(plan.steps))
            if plan.steps[value.producer].runs_backward:
                moments.append(backward_moment(plan, value.producer))
        lives.append(((min(moments), max(moments)),))
    return lives
