"""Casts of values to another type, for layers that do not compute in the type of their blobs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from protonet.graph.liveness import backward_moment
from protonet.graph.names import Value
from protonet.graph.packing import LiveRanges, TransientStorages
from protonet.graph.plan import Plan, Step
from protonet.graph.types import Types
from protonet.layers.base import Reads


class Role(Enum):
    """Which argument of a pass an array is."""

    BOTTOM = "bottom"
    TOP = "top"
    DTOP = "gradient of top"
    DBOTTOM = "gradient of bottom"


@dataclass(frozen=True)
class Cast:
    """A cast of one argument of a step: in which pass, in which role, at which index."""

    step: int
    backward: bool
    role: Role
    place: int


def place_casts(
    plan: Plan,
    types: Types,
    views: Collection[int],
    diff_views: Collection[int],
    sizes: list[int],
    *,
    gradients: bool,
    share: bool,
) -> dict[Cast, int]:
    """Append the sizes of the casts to ``sizes``; returns the storage of each."""
    casts: dict[Cast, int] = {}
    storages = TransientStorages(sizes, share)
    for index, step in enumerate(plan.steps):
        forward = index not in views and step.type != "Input"
        backward = gradients and step.runs_backward and index not in diff_views
        for in_backward in [False] * forward + [True] * backward:
            needed = _casts_of(step, index, types, backward=in_backward)
            for number, (cast, value) in enumerate(needed):
                size = value.count * types.in_step(index).itemsize
                casts[cast] = storages.place(number, size)
    return casts


def _casts_of(
    step: Step, index: int, types: Types, *, backward: bool
) -> Iterator[tuple[Cast, Value]]:
    """The casts that a step needs in one of its passes."""
    reads = step.reads
    for values, role, gradient, needed in (
        ((*step.bottoms, *step.added), Role.BOTTOM, Role.DBOTTOM, Reads.BOTTOMS in reads),
        (step.tops, Role.TOP, Role.DTOP, Reads.TOPS in reads),
    ):
        for place, value in enumerate(values):
            if not types.needs_cast(index, value):
                continue
            if not backward or needed:
                yield Cast(index, backward, role, place), value
            if backward and (role is Role.TOP or step.wanted[place]):
                yield Cast(index, backward, gradient, place), value


def cast_live_ranges(
    plan: Plan, casts: Iterable[Cast], recompute_before: Mapping[int, tuple[int, ...]]
) -> list[LiveRanges | None]:
    """Casts are live while their step runs, and while it is recomputed."""
    live_ranges: list[LiveRanges | None] = []
    for cast in casts:
        moments = [backward_moment(plan, cast.step) if cast.backward else cast.step]
        if not cast.backward:
            moments += [
                backward_moment(plan, r)
                for r, each in recompute_before.items()
                if cast.step in each
            ]
        live_ranges.append(tuple((moment, moment) for moment in moments))
    return live_ranges
