"""Copies of values in another type, for layers that do not take the one they are kept in."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from protonet.graph.lives import backward_moment
from protonet.graph.names import Value
from protonet.graph.packing import Momentary, Spans
from protonet.graph.plan import Plan, Step
from protonet.graph.types import Types
from protonet.layers.base import Reads


class Role(Enum):
    """What a layer is given in its passes."""

    BOTTOM = "bottom"
    TOP = "top"
    DTOP = "gradient of top"
    DBOTTOM = "gradient of bottom"


@dataclass(frozen=True)
class Copy:
    """A copy in another type of what a step is given: in which pass, as what, at which place."""

    step: int
    backward: bool
    role: Role
    place: int


def place_copies(
    plan: Plan,
    types: Types,
    views: Collection[int],
    diff_views: Collection[int],
    sizes: list[int],
    *,
    gradients: bool,
    share: bool,
) -> dict[Copy, int]:
    """Append to ``sizes`` what copies take, and say in which storage each lies."""
    copies: dict[Copy, int] = {}
    storages = Momentary(sizes, share)
    for index, step in enumerate(plan.steps):
        forward = index not in views and step.type != "Input"
        backward = gradients and step.runs_backward and index not in diff_views
        for way in [False] * forward + [True] * backward:
            needed = _copied(step, index, types, backward=way)
            for number, (copy, value) in enumerate(needed):
                size = value.count * types.in_step(index).itemsize
                copies[copy] = storages.place(number, size)
    return copies


def _copied(
    step: Step, index: int, types: Types, *, backward: bool
) -> Iterator[tuple[Copy, Value]]:
    """What a step is given in another type in one of its passes."""
    reads = step.reads
    for values, role, gradient, needed in (
        (step.bottoms, Role.BOTTOM, Role.DBOTTOM, Reads.BOTTOMS in reads),
        (step.tops, Role.TOP, Role.DTOP, Reads.TOPS in reads),
    ):
        for place, value in enumerate(values):
            if not types.copied(index, value):
                continue
            if not backward or needed:
                yield Copy(index, backward, role, place), value
            if backward and (role is Role.TOP or step.wanted[place]):
                yield Copy(index, backward, gradient, place), value


def copy_lives(
    plan: Plan, copies: Iterable[Copy], again: Mapping[int, tuple[int, ...]]
) -> list[Spans | None]:
    """When copies are needed: while their step runs, and where it runs once more."""
    lives: list[Spans | None] = []
    for copy in copies:
        moments = [backward_moment(plan, copy.step) if copy.backward else copy.step]
        if not copy.backward:
            moments += [backward_moment(plan, r) for r, each in again.items() if copy.step in each]
        lives.append(tuple((moment, moment) for moment in moments))
    return lives
