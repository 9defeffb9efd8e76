"""In-place layers as in Caffe: a name is one array, and an in-place layer overwrites it.

Values that a backward pass needs are saved before they are overwritten, as layers of Caffe keep
copies of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from protonet.graph.names import Value
from protonet.graph.plan import Plan, Step
from protonet.graph.types import Types
from protonet.layers.base import Reads


@dataclass(frozen=True)
class SavedValues:
    """What is saved, when and where: fields of ``graph.memory.Layout``."""

    save_before: Mapping[int, tuple[Value, ...]] = field(default_factory=dict)
    saved_data: Mapping[Value, int] = field(default_factory=dict)
    saved_diff: Mapping[int, Mapping[Value, int]] = field(default_factory=dict)


def same_name(step: Step, place: int, types: Types) -> bool:
    """Whether top ``place`` has the name, shape and type of the bottom at the same index."""
    if place >= min(len(step.bottoms), len(step.tops)):
        return False
    bottom, top = step.bottoms[place], step.tops[place]
    same = bottom.name == top.name and bottom.shape == top.shape
    return same and types.of(bottom) == types.of(top)


class InPlace:
    """Which steps overwrite their bottoms where every name is one array."""

    def __init__(self, plan: Plan, types: Types) -> None:
        self._plan, self._types = plan, types
        self._overwritten_by: dict[Value, int] = {}
        # from the last value of a name to the first: a view is overwritten with its bottom
        for index in range(len(plan.steps) - 1, -1, -1):
            step = plan.steps[index]
            for place in range(len(step.tops)):
                if not self.in_place(step, place):
                    continue
                if not step.is_view:
                    self._overwritten_by[step.bottoms[place]] = index
                elif step.tops[place] in self._overwritten_by:
                    self._overwritten_by[step.bottoms[place]] = self._overwritten_by[
                        step.tops[place]
                    ]

    def in_place(self, step: Step, place: int) -> bool:
        """Whether top ``place`` of a step is the array of its bottom."""
        return same_name(step, place, self._types)

    def can_view(self, index: int) -> bool:
        """Whether the tops of a view may be the array of its bottom: tops of another name only
        where no step overwrites either.
        """
        step = self._plan.steps[index]
        others = [top for place, top in enumerate(step.tops) if not self.in_place(step, place)]
        return not others or not any(
            value in self._overwritten_by for value in (step.bottoms[0], *others)
        )

    def save(self, sizes: list[int], *, gradients: bool) -> SavedValues:
        """Decide what is saved; the sizes of its storages are appended to ``sizes``."""
        save_before: dict[int, tuple[Value, ...]] = {}
        saved_data: dict[Value, int] = {}
        saved_diff: dict[int, dict[Value, int]] = {}
        for value, index in self._overwritten_by.items():
            step = self._plan.steps[index]
            needs_copy = not step.layer.traits.in_place
            if not needs_copy and not (gradients and self._is_read(value)):
                continue
            bottom = self._overwritten_bottom(index, value)
            if bottom not in saved_data:
                saved_data[bottom] = self._placed(value, sizes)
                save_before[index] = (*save_before.get(index, ()), bottom)
            saved_data[value] = saved_data[bottom]
            if needs_copy:
                tops = saved_diff.setdefault(index, {})
                top = step.tops[step.bottoms.index(bottom)]
                if gradients and step.runs_backward and top not in tops:
                    tops[top] = self._placed(top, sizes)
        return SavedValues(save_before, saved_data, saved_diff)

    def _placed(self, value: Value, sizes: list[int]) -> int:
        sizes.append(self._types.bytes_of(value))
        return len(sizes) - 1

    def _overwritten_bottom(self, index: int, value: Value) -> Value:
        """The bottom that step ``index`` overwrites, of the name of ``value``."""
        bottoms = self._plan.steps[index].bottoms
        return next(bottom for bottom in bottoms if bottom.name == value.name)

    def _is_read(self, value: Value) -> bool:
        """Whether a backward pass reads a value."""
        producer = self._plan.steps[value.producer]
        if producer.runs_backward and Reads.TOPS in producer.reads:
            return True
        readers = (self._plan.steps[index] for index, _ in value.consumers)
        return any(step.runs_backward and Reads.BOTTOMS in step.reads for step in readers)
