"""Blob names to values: which write of a name each layer reads.

A layer of a Caffe net may overwrite its bottom by giving its top the same name. Here every write of
a name becomes a ``Value`` of its own, as in static single assignment, so the rest of the plan need
not track when a name is read. Whether the values of one name share an array is decided in the
memory layout (``graph.memory``).
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
"""Caffe's name for the top of a loss layer whose text gives none."""

_GUESSES = 20
"""For how many unknown bottoms of a net a nearest name is suggested: the search is slow."""


@dataclass(frozen=True)
class Value:
    """One write of a blob's name.

    ``number`` identifies a value within its plan, whatever its shape: two plans of one net have
    equal values. ``producer`` and ``place`` are the step and the index among its tops;
    ``consumers`` are (step, index among its bottoms). ``has_diff`` tells whether a gradient
    reaches it from a loss.
    """

    number: int
    name: str = field(compare=False)
    producer: int = field(compare=False)
    place: int = field(compare=False)
    shape: Shape = field(compare=False)
    loss_weight: float = field(default=0.0, compare=False)
    consumers: tuple[tuple[int, int], ...] = field(default=(), compare=False)
    has_diff: bool = field(default=False, compare=False)

    @property
    def count(self) -> int:
        """The number of elements."""
        total = 1
        for extent in self.shape:
            total *= extent
        return total


@dataclass(frozen=True)
class Writing:
    """One write of a name: the layer that writes it, and the index among its tops."""

    name: str
    producer: int
    place: int


@dataclass(frozen=True)
class Wiring:
    """Each layer's bottoms and tops as indices of ``writings``; None for an undefined bottom.
    ``consumers[number]`` are the (layer, place) pairs that read a value; ``last`` has the last
    write of each name.
    """

    bottoms: tuple[tuple[int | None, ...], ...]
    tops: tuple[tuple[int, ...], ...]
    writings: tuple[Writing, ...]
    consumers: tuple[tuple[tuple[int, int], ...], ...]
    last: dict[str, int]

    def outputs(self) -> tuple[int, ...]:
        """The values that no layer reads, in alphabetical order, as Caffe prints them."""
        unread = (n for n in self.last.values() if not self.consumers[n])
        return tuple(sorted(unread, key=lambda number: self.writings[number].name))


Complain = Callable[[int, tuple[str | int, ...], str, str], None]
"""Called with the layer's index, the path of the field inside it, the message and a hint."""


def wire(
    layers: Sequence[LayerParameter], automatic_tops: Sequence[int], complain: Complain
) -> Wiring:
    """Connect ``layers`` by name; layer i gets ``automatic_tops[i]`` tops if its text has none.

    Calls ``complain`` for bottoms that no earlier layer writes, which are None in the result, and
    for tops that two layers write other than in place.
    """
    unknown = _Unknown(layers)
    last: dict[str, int] = {}
    writings: list[Writing] = []
    consumers: list[list[tuple[int, int]]] = []
    all_bottoms: list[tuple[int | None, ...]] = []
    all_tops: list[tuple[int, ...]] = []
    for step, spec in enumerate(layers):
        for place, name in enumerate(spec.bottom):
            if name in last:
                consumers[last[name]].append((step, place))
            else:
                complain(step, ("bottom", place), *unknown.describe(name, step, last))
        all_bottoms.append(tuple(last.get(name) for name in spec.bottom))
        names = list(spec.top) + [AUTOMATIC] * max(0, automatic_tops[step] - len(spec.top))
        all_tops.append(tuple(range(len(writings), len(writings) + len(names))))
        for place, name in enumerate(names):
            writings.append(Writing(name, step, place))
            consumers.append([])
            if name == AUTOMATIC:
                continue
            in_place = place < len(spec.bottom) and spec.bottom[place] == name
            if name in last and not in_place:
                maker = layers[writings[last[name]].producer]
                complain(step, ("top", place), *_made_before(name, maker))
            last[name] = len(writings) - 1
    return Wiring(
        tuple(all_bottoms), tuple(all_tops), tuple(writings), tuple(map(tuple, consumers)), last
    )


def _made_before(name: str, maker: LayerParameter) -> tuple[str, str]:
    """Message and hint for a top whose name an earlier layer writes."""
    return (
        f"top blob '{name}' is already made by layer '{maker.name}'",
        "give it another name; only a layer that works in place "
        "(top equal to the bottom at its index) may reuse one",
    )


class _Unknown:
    """Messages for undefined bottoms; each takes the same time, however many there are."""

    def __init__(self, layers: Sequence[LayerParameter]) -> None:
        self._layers = layers
        self._guessed = 0

    @cached_property
    def _makers(self) -> dict[str, list[int]]:
        """The layers that write each name, in order."""
        makers: dict[str, list[int]] = {}
        for index, layer in enumerate(self._layers):
            for name in layer.top:
                makers.setdefault(name, []).append(index)
        return makers

    def describe(self, name: str, step: int, known: dict[str, int]) -> tuple[str, str]:
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
