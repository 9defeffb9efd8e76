"""Concatenations without a copy: where the parts lie one after another in the whole, as for one
item joined by channels, layers write them to their places in it. Channels of pixels lie between
those of other parts: convolutions write them there.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from protonet.graph.names import Value
from protonet.graph.packing import LiveRanges
from protonet.graph.plan import Plan, Step
from protonet.graph.types import Types

_ALIGN = 16
"""Bytes to which parts must be aligned: kernels of GPUs load as many at once."""


@dataclass(frozen=True)
class Joined:
    """``parts[s]`` is the storage that storage s is a part of, and its offset there in bytes; the
    ``steps`` have nothing to copy. ``channels[s]`` are those of the whole, where the part is some
    channels of pixels.
    """

    parts: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    steps: frozenset[int] = frozenset()
    channels: Mapping[int, int] = field(default_factory=dict)

    def offset(self, part: int, offsets: Sequence[int | None]) -> int | None:
        """Where a part lies, if the others have these offsets."""
        whole, at = self.parts[part]
        start = self.offset(whole, offsets) if whole in self.parts else offsets[whole]
        return None if start is None else start + at

    def spans(self, spans: Sequence[LiveRanges | None]) -> list[LiveRanges | None]:
        """Live ranges where a whole is live as soon as the first of its parts."""
        found = list(spans)
        for part in self.parts:
            whole = part
            while whole in self.parts:
                whole = self.parts[whole][0]
            both = [*(found[whole] or ()), *(spans[part] or ())]
            found[whole] = ((min(span[0] for span in both), max(span[1] for span in both)),)
        return found

    def size(self, place: int, held: Sequence[Value], types: Types) -> int:
        """The bytes of a storage of these values; of a part, from its first channel to its last."""
        if place not in self.channels:
            return max(map(types.bytes_of, held))
        channels, itemsize = held[0].shape[1], types.of(held[0]).itemsize
        return ((held[0].count // channels - 1) * self.channels[place] + channels) * itemsize


def join(
    plan: Plan,
    types: Types,
    storage: Mapping[Value, int],
    holders: Sequence[Sequence[Value]],
    views: Collection[int],
) -> Joined:
    """Which storages can be parts of others, in a packed net without gradients."""
    parts: dict[int, tuple[int, int]] = {}
    channels: dict[int, int] = {}
    steps: set[int] = set()
    if any(_may_change(step) for step in plan.steps):
        return Joined()
    shown = plan.kept.union(plan.outputs)
    for index, step in enumerate(plan.steps):
        in_pixels = index in types.in_pixels
        held = [holders[storage[bottom]] for bottom in step.bottoms]
        joins = _joins_pixels(plan, step, types, held) if in_pixels else _is_contiguous(step)
        if index in views or not joins:
            continue
        top, places = step.tops[0], _places(step, storage, types, in_pixels=in_pixels)
        taken = [place for place, _ in places]
        alone = len(set(taken)) == len(taken) and not parts.keys() & set(taken)
        aligned = all(start % _ALIGN == 0 for _, start in places)
        same = all(types.of(bottom) == types.of(top) for bottom in step.bottoms)
        if not (alone and aligned and same and types.in_step(index) == types.of(top)):
            continue
        moved = {value for values in held for value in values}
        if not all(_may_move(plan, value, index) for value in moved) or moved & shown:
            continue
        if not types.codes.keys().isdisjoint(moved):
            continue  # codes must become floats
        parts.update((place, (storage[top], start)) for place, start in places)
        if in_pixels:
            channels.update(dict.fromkeys(taken, top.shape[1]))
        steps.add(index)
    return Joined(parts, frozenset(steps), channels)


def _may_change(step: Step) -> bool:
    """Whether shapes may change from pass to pass, while storages stay."""
    traits = step.layer.traits
    return step.dynamic or traits.varies or traits.reshapes_tops


def _is_contiguous(step: Step) -> bool:
    """Whether a step is a concatenation whose parts lie one after another."""
    if step.type != "Concat" or step.in_integers:
        return False
    from protonet.layers.utility import Concat  # imported by nets with such layers only

    assert isinstance(step.layer, Concat)
    shape = step.bottoms[0].shape
    return math.prod(shape[: step.layer.axis_of(shape)]) == 1


def _places(
    step: Step, storage: Mapping[Value, int], types: Types, *, in_pixels: bool
) -> list[tuple[int, int]]:
    """The storages of the parts of a concatenation, and where they begin in it."""
    found: list[tuple[int, int]] = []
    at = 0
    for bottom in step.bottoms:
        found.append((storage[bottom], at))
        at += types.bytes_of(bottom) // (bottom.count // bottom.shape[1] if in_pixels else 1)
    return found


def _joins_pixels(plan: Plan, step: Step, types: Types, parts: Sequence[Sequence[Value]]) -> bool:
    """Whether a step is a concatenation of pixels that convolutions can write to their places in
    it, and that nothing else reads. Each of the ``parts`` is all values in a memory.
    """
    if step.type != "Concat" or step.tops[0] not in types.pixels:
        return False
    return all(
        types.pixels.issuperset(held)
        and all(len(value.consumers) == 1 for value in held)
        and _writes_apart(plan, held)
        for held in parts
    )


def _writes_apart(plan: Plan, held: Sequence[Value]) -> bool:
    """Whether the producer of values, with what it absorbed, can write pixels between others."""
    from protonet.layers.convolution import Convolution  # imported by nets with such layers only

    first, *others = (value.producer for value in held)
    step = plan.steps[first]
    if not isinstance(step.layer, Convolution) or step.added:
        return False
    alone = all(plan.steps[other].absorbed_by == first for other in others)
    return alone and step.layer.groups(step.bottoms[0].shape[1]) == 1


def _may_move(plan: Plan, value: Value, index: int) -> bool:
    """Whether a value may be written to the whole that step ``index`` makes: it is computed in
    each pass, and no later step reads it, for the whole may be overwritten.
    """
    producer = plan.steps[value.producer]
    if not producer.bottoms or producer.layer.traits.persistent_tops or value.loss_weight:
        return False
    return all(reader <= index for reader, _ in value.consumers)
