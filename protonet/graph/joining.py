"""Concatenations without a copy: where the parts lie one after another in the whole, as for one
item joined by channels, layers write them to their places in it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from protonet.graph.names import Value
from protonet.graph.packing import LiveRanges
from protonet.graph.plan import Plan, Step
from protonet.graph.types import Types
from protonet.layers.base import ReshapesTops

_ALIGN = 16
"""Bytes to which parts must be aligned: kernels of GPUs load as many at once."""


@dataclass(frozen=True)
class Joined:
    """``parts[s]`` is the storage that storage s is a part of, and its offset there in bytes; the
    ``steps`` have nothing to copy.
    """

    parts: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    steps: frozenset[int] = frozenset()

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


def join(
    plan: Plan,
    types: Types,
    storage: Mapping[Value, int],
    holders: Sequence[Sequence[Value]],
    views: Collection[int],
) -> Joined:
    """Which storages can be parts of others, in a packed net without gradients."""
    parts: dict[int, tuple[int, int]] = {}
    steps: set[int] = set()
    if any(_may_change(step) for step in plan.steps):
        return Joined()
    shown = plan.kept.union(plan.outputs)
    for index, step in enumerate(plan.steps):
        if index in views or index in types.in_pixels or not _is_contiguous(step):
            continue  # channels of pixels lie between those of other parts
        top, places, at = step.tops[0], list[tuple[int, int]](), 0
        for bottom in step.bottoms:
            places.append((storage[bottom], at))
            at += types.bytes_of(bottom)
        taken = [place for place, _ in places]
        alone = len(set(taken)) == len(taken) and not parts.keys() & set(taken)
        aligned = all(start % _ALIGN == 0 for _, start in places)
        same = all(types.of(bottom) == types.of(top) for bottom in step.bottoms)
        if not (alone and aligned and same and types.in_step(index) == types.of(top)):
            continue
        held = [value for place in taken for value in holders[place]]
        if not all(_may_move(plan, value, index) and value not in shown for value in held):
            continue
        if not types.codes.keys().isdisjoint(held):
            continue  # codes must become floats
        parts.update((place, (storage[top], start)) for place, start in places)
        steps.add(index)
    return Joined(parts, frozenset(steps))


def _may_change(step: Step) -> bool:
    """Whether shapes may change from pass to pass, while storages stay."""
    return step.dynamic or step.layer.traits.varies or isinstance(step.layer, ReshapesTops)


def _is_contiguous(step: Step) -> bool:
    """Whether a step is a concatenation whose parts lie one after another."""
    if step.type != "Concat" or step.in_integers:
        return False
    from protonet.layers.utility import Concat  # imported by nets with such layers only

    assert isinstance(step.layer, Concat)
    shape = step.bottoms[0].shape
    return math.prod(shape[: step.layer.axis_of(shape)]) == 1


def _may_move(plan: Plan, value: Value, index: int) -> bool:
    """Whether a value may be written to the whole that step ``index`` makes: it is computed in
    each pass, and no later step reads it, for the whole may be overwritten.
    """
    producer = plan.steps[value.producer]
    if not producer.bottoms or producer.layer.traits.persistent_tops or value.loss_weight:
        return False
    return all(reader <= index for reader, _ in value.consumers)
