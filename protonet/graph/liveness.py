"""Liveness: when the values of a plan and their gradients are needed.

Moments of an iteration of n steps: step i runs forward at i; the gradients of losses are set at
n; step i runs backward at 2n - i. What is read after the passes is live until the end, 2n + 1.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from protonet.graph.names import Value
from protonet.graph.packing import LiveRanges
from protonet.graph.plan import Plan, Step
from protonet.layers.base import Reads


@dataclass(frozen=True)
class DataLiveness:
    """``live_ranges[s]`` is when storage s is live, None for always. Before step r runs backward,
    the steps ``recompute_before[r]`` run forward again.
    """

    live_ranges: list[LiveRanges | None]
    recompute_before: dict[int, tuple[int, ...]]


def end_moment(plan: Plan) -> int:
    """The moment after both passes."""
    return 2 * len(plan.steps) + 1


def backward_moment(plan: Plan, index: int) -> int:
    """When a step runs backward."""
    return 2 * len(plan.steps) - index


def data_live_ranges(
    plan: Plan,
    holders: Sequence[Sequence[Value]],
    storage: Mapping[Value, int],
    views: Collection[int],
    *,
    gradients: bool,
    recompute: bool,
    early: Mapping[int, int] | None = None,
) -> DataLiveness:
    """The live ranges of the storages of values. Steps of ``early`` run with the one it names."""
    early = early or {}
    after = {*plan.outputs, *plan.kept, *(value for value in plan.values if value.loss_weight)}
    spans: list[LiveRanges | None] = []
    reads: list[list[int]] = []
    for held in holders:
        reads.append(
            sorted({t for v in held for t in _backward_reads(plan, v)} if gradients else ())
        )
        if any(_is_permanent(plan.steps[value.producer], gradients) for value in held):
            spans.append(None)
            continue
        moments = [value.producer for value in held] + reads[-1]
        moments += [early.get(step, step) for value in held for step, _ in value.consumers]
        last = end_moment(plan) if after.intersection(held) else max(moments)
        spans.append(((min(moments), last),))
    recompute_before: dict[int, tuple[int, ...]] = {}
    if gradients and recompute and not any(step.dynamic for step in plan.steps):
        recompute_before = _recompute(plan, holders, storage, views, spans, reads)
    return DataLiveness(spans, recompute_before)


def _is_permanent(step: Step, gradients: bool) -> bool:
    """Whether the tops of a step are always live: a caller writes them, or a user's layer may
    write them only once; in training also what cannot be recomputed from the tops of other steps,
    so that a pass can be repeated to diagnose a divergence.
    """
    if step.layer.traits.persistent_tops or (step.dynamic and not step.bottoms):
        return True
    return gradients and not step.can_repeat


def _backward_reads(plan: Plan, value: Value) -> list[int]:
    """The moments at which backward passes read a value."""
    producer = plan.steps[value.producer]
    readers = [
        index
        for index, _ in value.consumers
        if plan.steps[index].runs_backward and Reads.BOTTOMS in plan.steps[index].reads
    ]
    if producer.runs_backward and Reads.TOPS in producer.reads:
        readers.append(value.producer)
    return [backward_moment(plan, index) for index in readers]


def _recompute(
    plan: Plan,
    holders: Sequence[Sequence[Value]],
    storage: Mapping[Value, int],
    views: Collection[int],
    spans: list[LiveRanges | None],
    reads: Sequence[Sequence[int]],
) -> dict[int, tuple[int, ...]]:
    """Free the tops of cheap layers after their last forward reader, where the bottoms are live
    when a backward pass needs them; returns what is recomputed, and before which step.
    """
    recompute_before: dict[int, tuple[int, ...]] = {}
    absorbed = {i for i, step in enumerate(plan.steps) if step.absorbed_by is not None}
    for place, held in enumerate(holders):
        span, times = spans[place], reads[place]
        if span is None or not times or span[0][1] > max(times):
            continue
        makers = sorted({value.producer for value in held} - absorbed)
        if not all(plan.steps[i].layer.traits.recomputable and i not in views for i in makers):
            continue
        if any(storage[top] != place for i in makers for top in plan.steps[i].tops):
            continue  # it would be written again where another array may be by then
        sources = {v for i in makers for v in plan.steps[i].bottoms if storage[v] != place}
        if not all(
            _is_live_until(spans[storage[source]], times[0])
            and holders[storage[source]][-1] is source
            for source in sources
        ):
            continue
        last_forward = max([*makers, *(step for value in held for step, _ in value.consumers)])
        spans[place] = ((makers[0], last_forward), (times[0], times[-1]))
        reader = 2 * len(plan.steps) - times[0]
        recompute_before[reader] = tuple(sorted({*recompute_before.get(reader, ()), *makers}))
    return recompute_before


def _is_live_until(spans: LiveRanges | None, moment: int) -> bool:
    """Whether an array stays live from its first write to this moment."""
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


def diff_live_ranges(plan: Plan, holders: Sequence[Sequence[Value]]) -> list[LiveRanges | None]:
    """The live ranges of the storages of gradients; None for those that are set once: the weight
    of a loss, and zeros for a top that receives no gradient.
    """
    live_ranges: list[LiveRanges | None] = []
    for held in holders:
        edges = [gradient_edges(plan, value) for value in held]
        written = (bool(sent or v.loss_weight) for sent, v in zip(edges, held, strict=True))
        if not any(edges) or not all(written):
            live_ranges.append(None)
            continue
        moments = [backward_moment(plan, step) for each in edges for step, _ in each]
        for value in held:
            if value.loss_weight:
                moments.append(len(plan.steps))
            if plan.steps[value.producer].runs_backward:
                moments.append(backward_moment(plan, value.producer))
        live_ranges.append(((min(moments), max(moments)),))
    return live_ranges
