"""Names to values: which writing of a blob's name each layer reads.

A Caffe net names blobs, and a layer may write over its bottom by giving its top the same name.
Here every writing of a name becomes a ``Value`` of its own, so the rest of the plan never has to
ask *when* a name is meant.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice

from protonet.blob import Shape
from protonet.errors import nearest
from protonet.proto.caffe_pb2 import LayerParameter

AUTOMATIC = "(automatic)"
"""Caffe's name for the top that a loss layer gets when its text gives none."""

_GUESSES = 20
"""How many unknown bottoms of a net are told the nearest name: looking takes its time."""


@dataclass(eq=False)
class Value:
    """One writing of a blob's name.

    ``producer`` and ``place`` are the step and the index among its tops; ``consumers`` are
    (step, index among its bottoms). ``shape`` is None until the plan has inferred it.
    ``has_diff`` says that a gradient reaches it from a loss.
    """

    name: str
    producer: int
    place: int
    shape: Shape | None = None
    loss_weight: float = 0.0
    consumers: list[tuple[int, int]] = field(default_factory=list)
    has_diff: bool = False

    @property
    def count(self) -> int:
        """The number of elements."""
        total = 1
        for extent in self.shape or ():
            total *= extent
        return total


@dataclass(frozen=True)
class Wiring:
    """Each layer's bottoms and tops as values, all values, and the last value of each name."""

    bottoms: tuple[tuple[Value | None, ...], ...]
    tops: tuple[tuple[Value, ...], ...]
    values: tuple[Value, ...]
    last: dict[str, Value]

    def outputs(self) -> tuple[Value, ...]:
        """The values that nobody reads, in the alphabetical order that Caffe prints them in."""
        loose = [v for v in self.last.values() if not v.consumers and v.name != AUTOMATIC]
        return tuple(sorted(loose, key=lambda value: value.name))


Complain = Callable[[int, tuple[str | int, ...], str, str], None]
"""Called with the layer's index, the path of the field inside it, the message and a hint."""


def wire(
    layers: Sequence[LayerParameter], automatic_tops: Sequence[int], complain: Complain
) -> Wiring:
    """Connect ``layers`` by name; ``automatic_tops[i]`` tops are made up for layer i if absent.

    A bottom that nothing wrote before is None in the result and complained about, as is a top
    that two layers write (other than in place).
    """
    unknown = _Unknown(layers)
    last: dict[str, Value] = {}
    values: list[Value] = []
    all_bottoms: list[tuple[Value | None, ...]] = []
    all_tops: list[tuple[Value, ...]] = []
    for step, spec in enumerate(layers):
        bottoms: list[Value | None] = []
        for place, name in enumerate(spec.bottom):
            value = last.get(name)
            if value is None:
                complain(step, ("bottom", place), *unknown.told(name, step, last))
            else:
                value.consumers.append((step, place))
            bottoms.append(value)
        names = list(spec.top) + [AUTOMATIC] * max(0, automatic_tops[step] - len(spec.top))
        tops = [Value(name, step, place) for place, name in enumerate(names)]
        for place, value in enumerate(tops):
            in_place = place < len(spec.bottom) and spec.bottom[place] == value.name
            earlier = last.get(value.name)
            if value.name == AUTOMATIC:
                continue
            if earlier is not None and not in_place:
                complain(
                    step,
                    ("top", place),
                    f"top blob '{value.name}' is already made by layer "
                    f"'{layers[earlier.producer].name}'",
                    "give it another name; only a layer that works in place "
                    "(top equal to the bottom beside it) may reuse one",
                )
            last[value.name] = value
        values += tops
        all_bottoms.append(tuple(bottoms))
        all_tops.append(tuple(tops))
    return Wiring(tuple(all_bottoms), tuple(all_tops), tuple(values), last)


class _Unknown:
    """What is said of bottoms that no earlier layer makes: as little work for the thousandth as
    for the first.
    """

    def __init__(self, layers: Sequence[LayerParameter]) -> None:
        self._layers = layers
        self._guessed = 0

    @cached_property
    def _makers(self) -> dict[str, list[int]]:
        """The layers that make each name, in order."""
        makers: dict[str, list[int]] = {}
        for index, layer in enumerate(self._layers):
            for name in layer.top:
                makers.setdefault(name, []).append(index)
        return makers

    def told(self, name: str, step: int, known: dict[str, Value]) -> tuple[str, str]:
        """Message and hint for a bottom of layer ``step``."""
        guess = nearest(name, known) if self._guessed < _GUESSES else ""
        self._guessed += 1
        message = f"unknown bottom blob '{name}'{guess}"
        makers = self._makers.get(name, [])
        later = bisect_left(makers, step)
        if later < len(makers):
            maker = self._layers[makers[later]].name
            return message, f"layer '{maker}' makes '{name}', but only further down"
        have = ", ".join(f"'{each}'" for each in list(islice(reversed(known), 8))[::-1])
        return message, f"blobs known here: {have}" if have else "no layer above makes any blob"
