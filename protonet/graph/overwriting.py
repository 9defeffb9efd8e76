"""Layers in place, as Caffe has them: a name is one array, and what is written over is lost.

What a backward pass needs of it is copied before, as layers of Caffe keep copies of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from protonet.graph.names import Value
from protonet.graph.plan import Plan, Step
from protonet.graph.types import Types
from protonet.layers.base import Reads


@dataclass(frozen=True)
class Saving:
    """What is copied, from where and to where: fields of ``graph.memory.Layout``."""

    saves: Mapping[int, tuple[Value, ...]] = field(default_factory=dict)
    kept: Mapping[Value, int] = field(default_factory=dict)
    apart: Mapping[int, Mapping[Value, int]] = field(default_factory=dict)


def same_name(step: Step, place: int, types: Types) -> bool:
    """Whether the text asks for top ``place`` to be the bottom beside it, and shapes allow it."""
    if place >= min(len(step.bottoms), len(step.tops)):
        return False
    bottom, top = step.bottoms[place], step.tops[place]
    same = bottom.name == top.name and bottom.shape == top.shape
    return same and types.of(bottom) == types.of(top)


class Overwriting:
    """Which steps write over their bottoms where every name is one array."""

    def __init__(self, plan: Plan, types: Types) -> None:
        self._plan, self._types = plan, types
        self._over: dict[Value, int] = {}
        # from the last value of a name to the first: a view of its bottom hands on what befalls it
        for index in range(len(plan.steps) - 1, -1, -1):
            step = plan.steps[index]
            for place in range(len(step.tops)):
                if not self.in_place(step, place):
                    continue
                if not step.is_view:
                    self._over[step.bottoms[place]] = index
                elif step.tops[place] in self._over:
                    self._over[step.bottoms[place]] = self._over[step.tops[place]]

    def in_place(self, step: Step, place: int) -> bool:
        """Whether top ``place`` of a step lies where its bottom lies."""
        return same_name(step, place, self._types)

    def can_view(self, index: int) -> bool:
        """Whether the tops of a view may lie where its bottom lies: of another name only where
        nobody writes over either.
        """
        step = self._plan.steps[index]
        others = [top for place, top in enumerate(step.tops) if not self.in_place(step, place)]
        return not others or not any(value in self._over for value in (step.bottoms[0], *others))

    def save(self, sizes: list[int], *, gradients: bool) -> Saving:
        """Decide what is copied; storages for it are appended to ``sizes``."""
        saves: dict[int, tuple[Value, ...]] = {}
        kept: dict[Value, int] = {}
        apart: dict[int, dict[Value, int]] = {}
        for value, index in self._over.items():
            step = self._plan.steps[index]
            alone = not step.layer.traits.in_place
            if not alone and not (gradients and self._is_read(value)):
                continue
            bottom = self._bottom_over(index, value)
            if bottom not in kept:
                kept[bottom] = self._placed(value, sizes)
                saves[index] = (*saves.get(index, ()), bottom)
            kept[value] = kept[bottom]
            if alone:
                tops = apart.setdefault(index, {})
                top = step.tops[step.bottoms.index(bottom)]
                if gradients and step.runs_backward and top not in tops:
                    tops[top] = self._placed(top, sizes)
        return Saving(saves, kept, apart)

    def _placed(self, value: Value, sizes: list[int]) -> int:
        sizes.append(self._types.bytes_of(value))
        return len(sizes) - 1

    def _bottom_over(self, index: int, value: Value) -> Value:
        """The bottom that step ``index`` writes over, of the name of ``value``."""
        bottoms = self._plan.steps[index].bottoms
        return next(bottom for bottom in bottoms if bottom.name == value.name)

    def _is_read(self, value: Value) -> bool:
        """Whether a backward pass looks at a value."""
        producer = self._plan.steps[value.producer]
        if producer.runs_backward and Reads.TOPS in producer.reads:
            return True
        readers = (self._plan.steps[index] for index, _ in value.consumers)
        return any(step.runs_backward and Reads.BOTTOMS in step.reads for step in readers)
