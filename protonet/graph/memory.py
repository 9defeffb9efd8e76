"""Which values share memory: in place, as views, and, in inference, one after the other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from protonet.graph.names import Value
from protonet.graph.plan import Plan, Step
from protonet.layers.base import Reads

_ALIGN = 16
"""Elements to which storages in an arena are aligned: 64 bytes of float32."""


@dataclass(frozen=True)
class Layout:
    """Where the arrays of a plan's values lie.

    ``storage[v]`` is the number of the storage that holds value v's data, ``offsets[s]`` where
    storage s begins in the arena of ``arena`` elements (None when storages are separate), and
    ``sizes[s]`` its elements. ``diff_storage`` and ``diff_sizes`` are the same for gradients.
    Steps in ``views`` need no forward call: their tops are their bottoms. Steps in
    ``diff_views`` need no backward call.
    """

    storage: dict[Value, int]
    sizes: tuple[int, ...]
    offsets: tuple[int, ...] | None
    arena: int
    diff_storage: dict[Value, int]
    diff_sizes: tuple[int, ...]
    views: frozenset[int]
    diff_views: frozenset[int]

    @property
    def elements(self) -> int:
        """The elements of all data and gradient arrays together."""
        return (self.arena if self.offsets is not None else sum(self.sizes)) + sum(self.diff_sizes)


def lay_out(plan: Plan, *, gradients: bool, share: bool = False) -> Layout:
    """Decide the memory of every value.

    ``gradients`` keeps what backward passes read and adds gradient arrays; ``share`` (only
    without gradients) lets values whose lives do not overlap use the same memory.
    """
    if gradients and share:
        raise ValueError("values of a net with gradients cannot share memory over time")
    storage, holders, views = _place_data(plan, gradients)
    sizes = tuple(max(value.count for value in held) for held in holders)
    offsets, arena = _pack(plan, holders, sizes) if share else (None, 0)
    diff_storage: dict[Value, int] = {}
    diff_sizes: list[int] = []
    diff_views: set[int] = set()
    if gradients:
        _place_diffs(plan, views, diff_storage, diff_sizes, diff_views)
    return Layout(
        storage,
        sizes,
        offsets,
        arena,
        diff_storage,
        tuple(diff_sizes),
        frozenset(views),
        frozenset(diff_views),
    )


def _place_data(
    plan: Plan, gradients: bool
) -> tuple[dict[Value, int], list[list[Value]], set[int]]:
    storage: dict[Value, int] = {}
    holders: list[list[Value]] = []
    views: set[int] = set()
    for index, step in enumerate(plan.steps):
        if step.layer.shares_storage:
            views.add(index)
        for place, top in enumerate(step.tops):
            bottom = step.bottoms[min(place, len(step.bottoms) - 1)] if step.bottoms else None
            if bottom is not None and (
                index in views
                or (
                    _in_place(step, place)
                    and _may_overwrite(plan, holders[storage[bottom]], index, gradients)
                )
            ):
                storage[top] = storage[bottom]
                holders[storage[bottom]].append(top)
            else:
                storage[top] = len(holders)
                holders.append([top])
    return storage, holders, views


def _in_place(step: Step, place: int) -> bool:
    """Whether the text asks for top ``place`` to be its bottom, and the layer can do it."""
    return (
        step.layer.in_place
        and place < min(len(step.bottoms), len(step.tops))
        and step.bottoms[place].name == step.tops[place].name
    )


def _may_overwrite(plan: Plan, held: Iterable[Value], index: int, gradients: bool) -> bool:
    """Whether step ``index`` may write over the storage that holds these values: nobody reads
    them later, and no backward pass needs them. What a layer without bottoms made stays, since
    it may have been written only once.
    """
    for value in held:
        producer = plan.steps[value.producer]
        if not producer.bottoms or not value.consumers:
            return False
        steps = [step for step, _ in value.consumers]
        if max(steps) > index or steps.count(index) > 1:
            return False
        if not gradients:
            continue
        if producer.runs_backward and Reads.TOPS in producer.layer.backward_reads:
            return False
        for step, _ in value.consumers:
            reader = plan.steps[step]
            if reader.runs_backward and Reads.BOTTOMS in reader.layer.backward_reads:
                return False
    return True


def _pack(
    plan: Plan, holders: list[list[Value]], sizes: tuple[int, ...]
) -> tuple[tuple[int, ...], int]:
    """Offsets in one arena: the largest storage first, each at the lowest place that is free.

    Inputs and outputs live from the first step to the last.
    """
    end = len(plan.steps)
    fixed = {*plan.inputs, *plan.outputs}
    lives = []
    for held in holders:
        whole = any(value in fixed for value in held)
        first = min(value.producer for value in held)
        last = max([first, *(step for value in held for step, _ in value.consumers)])
        lives.append((-1, end) if whole else (first, last))
    offsets = [0] * len(holders)
    placed: list[int] = []
    for this in sorted(range(len(holders)), key=lambda s: -sizes[s]):
        taken = sorted(
            (offsets[other], offsets[other] + sizes[other])
            for other in placed
            if lives[other][0] <= lives[this][1] and lives[this][0] <= lives[other][1]
        )
        start = 0
        for begin, stop in taken:
            if begin - start >= sizes[this]:
                break
            start = max(start, -(-stop // _ALIGN) * _ALIGN)
        offsets[this] = start
        placed.append(this)
    arena = max((offsets[s] + sizes[s] for s in placed), default=0)
    return tuple(offsets), arena


def _place_diffs(
    plan: Plan,
    views: set[int],
    diff_storage: dict[Value, int],
    diff_sizes: list[int],
    diff_views: set[int],
) -> None:
    """Give every value that has a gradient its array; in place and in views it is the top's."""
    for index in range(len(plan.steps) - 1, -1, -1):
        step = plan.steps[index]
        for top in step.tops:
            if (top.has_diff or step.runs_backward) and top not in diff_storage:
                diff_storage[top] = len(diff_sizes)
                diff_sizes.append(top.count)
        if not step.runs_backward:
            continue
        for place, bottom in enumerate(step.bottoms):
            if not step.wanted[place] or not _first_to_write(plan, bottom, index, place):
                continue
            if len(step.tops) == 1 and index in views and len(gradient_edges(plan, bottom)) == 1:
                diff_storage[bottom] = diff_storage[step.tops[0]]
                diff_views.add(index)
            elif _in_place(step, place) and step.tops[place].loss_weight == 0:
                diff_storage[bottom] = diff_storage[step.tops[place]]


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


def _first_to_write(plan: Plan, value: Value, index: int, place: int) -> bool:
    """Whether this edge is the one that writes the value's gradient, and others only add."""
    return value.loss_weight == 0 and gradient_edges(plan, value)[0] == (index, place)
