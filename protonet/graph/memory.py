"""Memory layout: which values share memory, in place, as views, or by disjoint live ranges.

There are two layouts. In the named one a name is one array, which in-place layers overwrite; where
a backward pass needs the old values, they are saved first (``graph.in_place``). In the packed one
arrays that are not live at the same time share an arena, and a layer works in place only where
nothing needs the old values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from protonet.graph.casts import Cast, cast_live_ranges, place_casts
from protonet.graph.in_place import InPlace, SavedValues, same_name
from protonet.graph.joining import Joined, join
from protonet.graph.liveness import (
    backward_moment,
    data_live_ranges,
    diff_live_ranges,
    gradient_edges,
)
from protonet.graph.names import Value
from protonet.graph.packing import LiveRanges, TransientStorages, pack
from protonet.graph.plan import Plan, Step
from protonet.graph.types import FLOATS, Types
from protonet.layers.base import Reads

Edge = tuple[int, int]
"""A step and one of its bottoms."""


@dataclass(frozen=True)
class Layout:
    """Where the arrays of a plan's values lie.

    ``storage[v]`` is the number of the storage of value v's data, ``diff_storage[v]`` of its
    gradient, ``partial_diffs[step, place]`` of a step's gradient of a bottom where it is added to
    those of other steps, ``casts[c]`` of a cast. ``sizes[s]`` are the bytes of storage s, and
    ``offsets[s]`` is its offset in the arena of ``arena`` bytes; None for memory of its own.

    Steps in ``views`` need no forward call: their tops are their bottoms. Steps in ``diff_views``
    need no backward call. Before the backward call of step r the steps ``recompute_before[r]`` run
    forward again; ``recompute_savings`` are the bytes of arena that this saves. ``live_ranges[s]``
    is when storage s is live, None for always.

    ``joined`` are storages that are parts of others.

    Before step i runs forward, the bottoms ``save_before[i]``, about to be overwritten, are copied
    to the storages ``saved_data[v]``, where backward passes read them; the steps in ``saved_diff``
    cannot work in place, and read them in their forward pass too. ``saved_diff[i]`` are storages
    to which the gradients of such tops are copied before the backward pass.
    """

    storage: dict[Value, int]
    diff_storage: dict[Value, int]
    partial_diffs: dict[Edge, int]
    casts: dict[Cast, int]
    types: Types
    sizes: tuple[int, ...]
    offsets: tuple[int | None, ...]
    arena: int
    views: frozenset[int]
    diff_views: frozenset[int]
    recompute_before: dict[int, tuple[int, ...]] = field(default_factory=dict)
    recompute_savings: int = 0
    live_ranges: tuple[LiveRanges | None, ...] = ()
    save_before: Mapping[int, tuple[Value, ...]] = field(default_factory=dict)
    saved_data: Mapping[Value, int] = field(default_factory=dict)
    saved_diff: Mapping[int, Mapping[Value, int]] = field(default_factory=dict)
    joined: Joined = field(default_factory=Joined)

    @property
    def bytes(self) -> int:
        """The size of all data and gradient arrays together."""
        own = (s for s, at in zip(self.sizes, self.offsets, strict=True) if at is None)
        return self.arena + sum(own)


# long: each field of the layout is on a line of its own
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
    gradient arrays. ``packed`` lets values and gradients with disjoint live ranges share memory;
    ``recompute`` (with both) frees the tops of cheap layers after the forward pass and recomputes
    them for the backward pass.
    """
    in_place = InPlace(plan, types) if not packed else None
    data, holders, views = _place_data(plan, types, gradients, in_place)
    joined = join(plan, types, data, holders, views) if packed and not gradients else Joined()
    views |= joined.steps
    sizes = [joined.size(place, held, types) for place, held in enumerate(holders)]
    for value in _between(plan, types):
        del data[value]
    stored = set(data.values())
    sizes = [size if place in stored else 0 for place, size in enumerate(sizes)]
    diffs = _Diffs()
    if gradients:
        diffs = _place_diffs(plan, types, views, in_place, before=len(sizes))
        sizes += [max(map(types.bytes_of, held)) for held in diffs.holders]
    partial_diffs = _place_partial_diffs(plan, types, sizes, packed) if gradients else {}
    casts = place_casts(plan, types, views, diffs.views, sizes, gradients=gradients, share=packed)
    saved = SavedValues() if in_place is None else in_place.save(sizes, gradients=gradients)
    layout = Layout(
        data,
        diffs.storage,
        partial_diffs,
        casts,
        types,
        tuple(sizes),
        (None,) * len(sizes),
        0,
        frozenset(views),
        frozenset(diffs.views),
        save_before=saved.save_before,
        saved_data=saved.saved_data,
        saved_diff=saved.saved_diff,
        joined=joined,
    )
    if not packed:
        return layout
    held = (holders, diffs.holders)
    return _packed(plan, layout, *held, gradients=gradients, recompute=recompute)


def _packed(
    plan: Plan,
    layout: Layout,
    holders: Sequence[Sequence[Value]],
    diff_holders: Sequence[Sequence[Value]],
    *,
    gradients: bool,
    recompute: bool,
) -> Layout:
    """The layout where storages that are not live at the same time share memory."""
    data, views, casts = layout.storage, layout.views, layout.casts
    spans = diff_live_ranges(plan, diff_holders)
    spans += [((backward_moment(plan, step),) * 2,) for step, _ in layout.partial_diffs]
    liveness = data_live_ranges(
        plan, holders, data, views, gradients=gradients, recompute=False, early=layout.types.early
    )
    shared = _in_arena(layout, liveness.live_ranges + spans + cast_live_ranges(plan, casts, {}))
    if not recompute:
        return shared
    liveness = data_live_ranges(plan, holders, data, views, gradients=gradients, recompute=True)
    spans += cast_live_ranges(plan, casts, liveness.recompute_before)
    less = _in_arena(layout, liveness.live_ranges + spans, liveness.recompute_before, shared.arena)
    return less if less.recompute_savings > 0 else shared


def _in_arena(
    layout: Layout,
    spans: Sequence[LiveRanges | None],
    recompute_before: Mapping[int, tuple[int, ...]] | None = None,
    before: int | None = None,
) -> Layout:
    """The layout with all storages that are not always live in an arena."""
    joined = layout.joined
    moving = [
        (place, each)
        for place, each in enumerate(joined.spans(spans))
        if each is not None and place not in joined.parts
    ]
    placed, arena = pack([layout.sizes[place] for place, _ in moving], [each for _, each in moving])
    offsets: list[int | None] = [None] * len(spans)
    for (place, _), at in zip(moving, placed, strict=True):
        offsets[place] = at
    for part in joined.parts:
        offsets[part] = joined.offset(part, offsets)
    return replace(
        layout,
        offsets=tuple(offsets),
        arena=arena,
        recompute_before=dict(recompute_before or {}),
        recompute_savings=0 if before is None else before - arena,
        live_ranges=tuple(spans),
    )


def _place_data(
    plan: Plan, types: Types, gradients: bool, in_place: InPlace | None
) -> tuple[dict[Value, int], list[list[Value]], set[int]]:
    """The storage of each value, the values of each storage, and the steps that are views."""
    storage: dict[Value, int] = {}
    holders: list[list[Value]] = []
    views: set[int] = set()
    for index, step in enumerate(plan.steps):
        if in_place is None:
            viewed = step.is_view
        else:
            viewed = step.layer.traits.tops_are_params or (
                step.is_view and in_place.can_view(index)
            )
        if viewed:
            views.add(index)
        for place, top in enumerate(step.tops):
            bottom = step.beneath(place)
            if bottom is not None and (
                index in views
                or (
                    in_place.in_place(step, place)
                    if in_place is not None
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


def _between(plan: Plan, types: Types) -> Iterable[Value]:
    """The values between the steps of chains, which have no memory."""
    early = types.early
    for index, step in enumerate(plan.steps):
        if index in early or step.absorbed_by in early:
            yield from step.tops


def _in_place(step: Step, place: int, types: Types) -> bool:
    """Whether top ``place`` may be its bottom by name, shape, type and traits."""
    return step.layer.traits.in_place and same_name(step, place, types)


def _may_overwrite(plan: Plan, held: Iterable[Value], index: int, gradients: bool) -> bool:
    """Whether step ``index`` may overwrite the storage of these values: no later step and no
    backward pass reads them. Tops of layers without bottoms are not overwritten, since these may
    write them only once, and neither are values that are kept.
    """
    for value in held:
        producer = plan.steps[value.producer]
        if not producer.bottoms or not value.consumers or value in plan.kept:
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
    """Where gradients are: the storage of each value's gradient, the values of each storage, and
    the steps whose bottom's gradient is that of their top.
    """

    storage: dict[Value, int] = field(default_factory=dict)
    holders: list[list[Value]] = field(default_factory=list)
    views: set[int] = field(default_factory=set)


def _place_diffs(
    plan: Plan, types: Types, views: set[int], in_place: InPlace | None, *, before: int
) -> _Diffs:
    """Give every value with a gradient a storage, after ``before`` others; in place and in views
    it is that of the top.
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
        if in_place is not None and step.layer.traits.tops_are_params:
            diff_views.add(index)
        for place, bottom in enumerate(step.bottoms):
            if not step.wanted[place] or not writes_first(plan, index, place):
                continue
            if len(step.tops) == 1 and index in views and len(gradient_edges(plan, bottom)) == 1:
                join(bottom, step.tops[0])
                diff_views.add(index)
            elif (
                in_place.in_place(step, place)
                if in_place is not None
                else _in_place(step, place, types) and step.tops[place].loss_weight == 0
            ):
                join(bottom, step.tops[place])
    return _Diffs({value: at + before for value, at in storage.items()}, holders, diff_views)


def _place_partial_diffs(
    plan: Plan, types: Types, sizes: list[int], share: bool
) -> dict[Edge, int]:
    """Give storages to the gradients that are added to others."""
    partial_diffs: dict[Edge, int] = {}
    storages = TransientStorages(sizes, share)
    for index, step in enumerate(plan.steps):
        places = [
            place
            for place in range(len(step.bottoms))
            if step.runs_backward and step.wanted[place] and not writes_first(plan, index, place)
        ]
        for number, place in enumerate(places):
            partial_diffs[index, place] = storages.place(
                number, types.bytes_of(step.bottoms[place])
            )
    return partial_diffs


def writes_first(plan: Plan, index: int, place: int) -> bool:
    """Whether a step is the first to write the gradient of a bottom; later ones are added."""
    value = plan.steps[index].bottoms[place]
    return value.loss_weight == 0 and gradient_edges(plan, value)[0] == (index, place)
