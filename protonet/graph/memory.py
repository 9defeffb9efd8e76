"""Which values share memory: in place, as views, and one after the other.

There are two layouts. In the named one a name is one array from its first writing on, and a layer
in place writes over it; where a backward pass needs what was there, it is copied before
(``graph.overwriting``). In the packed one everything that is not needed at the same time may share
memory, and a layer works in place only where nobody needs what was there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from protonet.graph.copies import Copy, copy_lives, place_copies
from protonet.graph.lives import (
    backward_moment,
    data_lives,
    diff_lives,
    gradient_edges,
)
from protonet.graph.names import Value
from protonet.graph.overwriting import Overwriting, Saving, same_name
from protonet.graph.packing import Momentary, Spans, pack
from protonet.graph.plan import Plan, Step
from protonet.graph.types import FLOATS, Types
from protonet.layers.base import Reads

Edge = tuple[int, int]
"""A step and one of its bottoms."""


@dataclass(frozen=True)
class Layout:
    """Where the arrays of a plan's values lie.

    ``storage[v]`` is the number of the storage that holds value v's data, ``diff_storage[v]`` of
    its gradient, ``parts[step, place]`` of the gradient that a step sends to a bottom, where it
    is added to what others sent, ``copies[c]`` of what a step is given in another type.
    ``sizes[s]`` are the bytes of storage s, and ``offsets[s]`` is where it begins in the arena of
    ``arena`` bytes; None where its memory is its own.

    Steps in ``views`` need no forward call: their tops are their bottoms. Steps in ``diff_views``
    need no backward call. Before the backward call of step r the steps ``again[r]`` run forward.
    ``saved`` is how many bytes the arena would have more without that. ``lives[s]`` is when
    storage s is needed, None for always.

    Before step i runs forward, its first-to-be-overwritten bottoms ``saves[i]`` are copied to the
    storages ``kept[v]``, where backward passes find them; the steps in ``apart`` cannot work in
    place, and find them there in their forward pass too. ``apart[i]`` are storages to which the
    gradients of such tops are copied before the backward pass.
    """

    storage: dict[Value, int]
    diff_storage: dict[Value, int]
    parts: dict[Edge, int]
    copies: dict[Copy, int]
    types: Types
    sizes: tuple[int, ...]
    offsets: tuple[int | None, ...]
    arena: int
    views: frozenset[int]
    diff_views: frozenset[int]
    again: dict[int, tuple[int, ...]] = field(default_factory=dict)
    saved: int = 0
    lives: tuple[Spans | None, ...] = ()
    saves: Mapping[int, tuple[Value, ...]] = field(default_factory=dict)
    kept: Mapping[Value, int] = field(default_factory=dict)
    apart: Mapping[int, Mapping[Value, int]] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        """What all data and gradient arrays take together."""
        own = (s for s, at in zip(self.sizes, self.offsets, strict=True) if at is None)
        return self.arena + sum(own)


# long: each field of the layout stands on a line of its own
def lay_out(
    plan: Plan,
    types: Types = FLOATS,
    *,
    gradients: bool,
    packed: bool = False,
    recompute: bool = False,
) -> Layout:
    """Decide the memory of every value.

    ``types`` are those of the values. ``gradients`` keeps what backward passes read and adds
    gradient arrays. ``packed`` lets values and gradients whose lives do not overlap use the same
    memory; ``recompute`` (with both) frees what cheap layers make after the forward pass and makes
    it again for the backward pass.
    """
    writing = Overwriting(plan, types) if not packed else None
    data, holders, views = _place_data(plan, types, gradients, writing)
    sizes = [max(map(types.bytes_of, held)) for held in holders]
    diffs = _Diffs()
    if gradients:
        diffs = _place_diffs(plan, types, views, writing, before=len(sizes))
        sizes += [max(map(types.bytes_of, held)) for held in diffs.holders]
    parts = _place_parts(plan, types, sizes, packed) if gradients else {}
    copies = place_copies(plan, types, views, diffs.views, sizes, gradients=gradients, share=packed)
    saving = Saving() if writing is None else writing.save(sizes, gradients=gradients)
    layout = Layout(
        data,
        diffs.storage,
        parts,
        copies,
        types,
        tuple(sizes),
        (None,) * len(sizes),
        0,
        frozenset(views),
        frozenset(diffs.views),
        saves=saving.saves,
        kept=saving.kept,
        apart=saving.apart,
    )
    if not packed:
        return layout
    held = (holders, diffs.holders)
    return _in_turns(plan, layout, *held, gradients=gradients, recompute=recompute)


def _in_turns(
    plan: Plan,
    layout: Layout,
    holders: Sequence[Sequence[Value]],
    diff_holders: Sequence[Sequence[Value]],
    *,
    gradients: bool,
    recompute: bool,
) -> Layout:
    """The layout where storages that are not needed at the same time may share memory."""
    data, views, copies = layout.storage, layout.views, layout.copies
    spans = diff_lives(plan, diff_holders)
    spans += [((backward_moment(plan, step),) * 2,) for step, _ in layout.parts]
    lives = data_lives(plan, holders, data, views, gradients=gradients, recompute=False)
    shared = _in_arena(layout, lives.spans + spans + copy_lives(plan, copies, {}))
    if not recompute:
        return shared
    lives = data_lives(plan, holders, data, views, gradients=gradients, recompute=True)
    spans += copy_lives(plan, copies, lives.again)
    less = _in_arena(layout, lives.spans + spans, lives.again, shared.arena)
    return less if less.saved > 0 else shared


def _in_arena(
    layout: Layout,
    spans: Sequence[Spans | None],
    again: Mapping[int, tuple[int, ...]] | None = None,
    before: int | None = None,
) -> Layout:
    """The layout with those storages in an arena that are not needed always."""
    moving = [place for place, each in enumerate(spans) if each is not None]
    found, arena = pack(
        [layout.sizes[place] for place in moving],
        [each for each in spans if each is not None],
    )
    offsets: list[int | None] = [None] * len(spans)
    for place, at in zip(moving, found, strict=True):
        offsets[place] = at
    saved = 0 if before is None else before - arena
    return replace(
        layout,
        offsets=tuple(offsets),
        arena=arena,
        again=dict(again or {}),
        saved=saved,
        lives=tuple(spans),
    )


def _place_data(
    plan: Plan, types: Types, gradients: bool, writing: Overwriting | None
) -> tuple[dict[Value, int], list[list[Value]], set[int]]:
    """The storage of each value, the values of each storage, and the steps that are views."""
    storage: dict[Value, int] = {}
    holders: list[list[Value]] = []
    views: set[int] = set()
    for index, step in enumerate(plan.steps):
        if writing is None:
            viewed = step.is_view
        else:
            viewed = step.layer.traits.shows_params or (step.is_view and writing.can_view(index))
        if viewed:
            views.add(index)
        for place, top in enumerate(step.tops):
            bottom = step.bottoms[min(place, len(step.bottoms) - 1)] if step.bottoms else None
            if bottom is not None and (
                index in views
                or (
                    writing.in_place(step, place)
                    if writing is not None
                    else _in_place(step, place, types)
                    and _may_overwrite(plan, holders[storage[bottom]], index, gradients)
                )
            ):
                storage[top] = storage[bottom]
                holders[storage[bottom]].append(top)
            else:
                storage[top] = len(holders)
                holders.append([top])
    return storage, holders, views


def _in_place(step: Step, place: int, types: Types) -> bool:
    """Whether the text asks for top ``place`` to be its bottom, and the layer can do it."""
    return step.layer.traits.in_place and same_name(step, place, types)


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
        if producer.runs_backward and Reads.TOPS in producer.reads:
            return False
        for step, _ in value.consumers:
            reader = plan.steps[step]
            if reader.runs_backward and Reads.BOTTOMS in reader.reads:
                return False
    return True


@dataclass(frozen=True)
class _Diffs:
    """Where gradients are: the storage of each value's, the values of each storage, and the steps
    whose bottom's gradient is their top's.
    """

    storage: dict[Value, int] = field(default_factory=dict)
    holders: list[list[Value]] = field(default_factory=list)
    views: set[int] = field(default_factory=set)


def _place_diffs(
    plan: Plan, types: Types, views: set[int], writing: Overwriting | None, *, before: int
) -> _Diffs:
    """Give every value that has a gradient its array, behind ``before`` others; in place and in
    views it is the top's.
    """
    storage: dict[Value, int] = {}
    holders: list[list[Value]] = []
    diff_views: set[int] = set()

    def join(value: Value, top: Value) -> None:
        storage[value] = storage[top]
        holders[storage[top]].append(value)

    for index in range(len(plan.steps) - 1, -1, -1):
        step = plan.steps[index]
        for top in step.tops:
            if (top.has_diff or step.runs_backward) and top not in storage:
                storage[top] = len(holders)
                holders.append([top])
        if not step.runs_backward:
            continue
        if writing is not None and step.layer.traits.shows_params:
            diff_views.add(index)
        for place, bottom in enumerate(step.bottoms):
            if not step.wanted[place] or not writes_first(plan, index, place):
                continue
            if len(step.tops) == 1 and index in views and len(gradient_edges(plan, bottom)) == 1:
                join(bottom, step.tops[0])
                diff_views.add(index)
            elif (
                writing.in_place(step, place)
                if writing is not None
                else _in_place(step, place, types) and step.tops[place].loss_weight == 0
            ):
                join(bottom, step.tops[place])
    return _Diffs({value: at + before for value, at in storage.items()}, holders, diff_views)


def _place_parts(plan: Plan, types: Types, sizes: list[int], share: bool) -> dict[Edge, int]:
    """Give gradients that are added to others their arrays."""
    parts: dict[Edge, int] = {}
    storages = Momentary(sizes, share)
    for index, step in enumerate(plan.steps):
        places = [
            place
            for place in range(len(step.bottoms))
            if step.runs_backward and step.wanted[place] and not writes_first(plan, index, place)
        ]
        for number, place in enumerate(places):
            parts[index, place] = storages.place(number, types.bytes_of(step.bottoms[place]))
    return parts


def writes_first(plan: Plan, index: int, place: int) -> bool:
    """Whether a step is the one that writes the gradient of a bottom, and others only add."""
    value = plan.steps[index].bottoms[place]
    return value.loss_weight == 0 and gradient_edges(plan, value)[0] == (index, place)
