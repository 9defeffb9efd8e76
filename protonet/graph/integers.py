"""Which values of a plan hold 8-bit codes, and which layers compute in integers.

Values that share memory (a layer's top, what layers fused into it write, views) are one blob. A
blob holds codes if the layer that writes it computes in integers, its range is known, and a reader
takes codes; other readers get its values in float32. Layers that only move values (max Pooling,
Concat) have one coding for bottoms and top: that of all their ranges together. A ReLU moves values,
too, if nothing else reads its bottom: codes of values below 0 are then not needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from protonet.graph.names import Value
from protonet.graph.plan import Plan, Step
from protonet.kernels.int8 import Coding
from protonet.layers.base import Kind
from protonet.layers.int8 import (
    Codes,
    can_take_codes,
    in_integers,
    keeps_coding,
    makes_codes,
    takes_floats,
)

Range = tuple[float, float]
"""The lowest and the highest of the values."""


def with_integers(plan: Plan, ranges: Mapping[Value, Range]) -> Plan:
    """The plan, fused already, with layers in integers where ranges allow it."""
    choice = _Choice(plan, ranges)
    choice.settle()
    codes = choice.codings()
    steps = list(plan.steps)
    for index in sorted(choice.steps):
        step = steps[index]
        made = in_integers(step.layer, choice.codes_of(step, codes))
        steps[index] = replace(step, layer=made, in_integers=True)
    held = {value: codes[blob] for value, blob in choice.blobs.items() if blob in codes}
    return replace(plan, steps=tuple(steps), codes=held)


@dataclass
class _Blob:
    """Values in one memory: the step that writes it and the steps that read it."""

    writer: int
    readers: list[int] = field(default_factory=list)
    range: Range | None = None
    fixed: bool = False
    """Whether it must be floats: outputs, and values seen in another shape."""


class _Choice:
    """The steps that compute in integers, and the blobs that hold codes; both shrink until they
    agree (``settle``). A blob is named by its first value.
    """

    def __init__(self, plan: Plan, ranges: Mapping[Value, Range]) -> None:
        self._plan = plan
        self.blobs: dict[Value, Value] = {}
        self._of: dict[Value, _Blob] = {}
        shown = plan.kept.union(plan.outputs)
        for index, step in enumerate(plan.steps):
            for top in step.tops:
                viewed = step.is_view and bool(step.bottoms)
                self.blobs[top] = self.blobs[step.bottoms[0]] if viewed else top
                blob = self._of.setdefault(self.blobs[top], _Blob(index))
                blob.range = ranges.get(top, blob.range)
                blob.fixed |= top in shown or bool(top.loss_weight)
                blob.fixed |= top.shape != self.blobs[top].shape
            if not step.is_view:
                for bottom in step.bottoms:
                    self._blob(bottom).readers.append(index)
        self.steps = {index for index, step in enumerate(plan.steps) if self._could(step)}
        self.held = {name for name, blob in self._of.items() if self._could_hold(blob)}

    def settle(self) -> None:
        """Drop steps and blobs that need others which were dropped."""
        before = -1
        while before != len(self.steps) + len(self.held):
            before = len(self.steps) + len(self.held)
            self.steps = {index for index in self.steps if self._can(self._plan.steps[index])}
            self.held = {name for name in self.held if self._holds(self._of[name])}
            if before == len(self.steps) + len(self.held):
                self.steps -= self._unbounded()

    def codings(self) -> dict[Value, Coding]:
        """The codes of each blob that holds them."""
        groups = {name: {name} for name in self.held}
        for first, second in self._same():
            if groups[first] is not groups[second]:
                groups[first] |= groups[second]
                groups.update(dict.fromkeys(groups[first], groups[first]))
        found, rectified = {}, self._rectified()
        for name, group in groups.items():
            known = {each: self._of[each].range for each in group}
            lows = [r[0] for each, r in known.items() if r is not None and each not in rectified]
            highs = [r[1] for r in known.values() if r is not None]
            found[name] = Coding.of(min(lows, default=0.0), max(highs))
        return found

    def _unbounded(self) -> set[int]:
        """The ReLUs whose codes would not begin with 0, for others need values below 0 of a blob of
        the same coding: they have floats.
        """
        codes, steps = self.codings(), self._plan.steps
        return {
            index
            for index in self.steps
            if steps[index].layer.traits.kind is Kind.RECTIFIER
            and codes[self.blobs[steps[index].tops[0]]].zero
        }

    def _rectified(self) -> set[Value]:
        """The blobs whose values below 0 nothing needs."""
        found: set[Value] = set()
        for index in sorted(self.steps, reverse=True):
            step = self._plan.steps[index]
            top = self.blobs[step.tops[0]]
            if step.layer.traits.kind is Kind.RECTIFIER or (
                top in found and keeps_coding(step.layer)
            ):
                names = {self.blobs[bottom] for bottom in step.bottoms}
                found |= {name for name in names if set(self._of[name].readers) == {index}}
                found.add(top)
        return found

    def codes_of(self, step: Step, codes: Mapping[Value, Coding]) -> Codes:
        """The codes of a step's blobs."""
        bottoms = []
        for bottom in step.bottoms:
            name = self.blobs[bottom]
            known = self._of[name].range
            bottoms.append(codes[name] if name in codes else Coding.of(*(known or (0, 0))))
        taken = self.blobs[step.bottoms[0]] in codes
        return Codes(tuple(bottoms), taken, codes.get(self.blobs[step.tops[0]]))

    def _blob(self, value: Value) -> _Blob:
        return self._of[self.blobs[value]]

    def _could(self, step: Step) -> bool:
        """Whether a step may compute in integers, if its bottoms and tops allow it."""
        if step.absorbed_by is not None or not can_take_codes(step.layer, step.shapes):
            return False
        if step.layer.traits.kind is Kind.RECTIFIER:
            return len(self._blob(step.bottoms[0]).readers) == 1
        return not takes_floats(step.layer) or self._range(step.bottoms[0]) is not None

    def _range(self, value: Value) -> Range | None:
        """The range of a value, or of those that it was moved from."""
        blob = self._blob(value)
        if blob.range is None and keeps_coding(self._plan.steps[blob.writer].layer):
            known = [self._range(bottom) for bottom in self._plan.steps[blob.writer].bottoms]
            lows, highs = [r[0] for r in known if r], [r[1] for r in known if r]
            blob.range = (min(lows), max(highs)) if len(lows) == len(known) else None
        return blob.range

    def _could_hold(self, blob: _Blob) -> bool:
        step = self._plan.steps[blob.writer]
        known = blob.writer in self.steps and self._range(step.tops[0]) is not None
        return known and not blob.fixed

    def _can(self, step: Step) -> bool:
        if takes_floats(step.layer):
            return True
        taken = all(self.blobs[bottom] in self.held for bottom in step.bottoms)
        return taken and (not makes_codes(step.layer) or self.blobs[step.tops[0]] in self.held)

    def _holds(self, blob: _Blob) -> bool:
        if blob.writer not in self.steps:
            return False
        moved = makes_codes(self._plan.steps[blob.writer].layer)
        return moved or any(reader in self.steps for reader in blob.readers)

    def _same(self) -> Iterator[tuple[Value, Value]]:
        """Pairs of blobs of one coding."""
        for index in sorted(self.steps):
            step = self._plan.steps[index]
            if keeps_coding(step.layer):
                for bottom in step.bottoms:
                    yield self.blobs[step.tops[0]], self.blobs[bottom]
