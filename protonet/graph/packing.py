"""Memory planning: arrays that are not all live at the same time share one arena."""

from __future__ import annotations

from collections.abc import Collection, Sequence

ALIGN = 64
"""Bytes to which arrays are aligned."""

_PAGE = 4096
_APART = 17 * ALIGN

LiveRanges = tuple[tuple[int, int], ...]
"""When an array is live: (first, last) moments, both included."""


class TransientStorages:
    """Storages of arrays that are live during one step only. With ``share`` each has its own (the
    arena overlaps them); otherwise the first array of every step shares one storage, the second
    another, and so on.

    Args:
        sizes: of all storages; theirs are appended.
        share: whether memory is shared over time.
    """

    def __init__(self, sizes: list[int], share: bool) -> None:
        self._sizes, self._share = sizes, share
        self._common: list[int] = []

    def place(self, number: int, size: int) -> int:
        """The storage of the ``number``-th array of a step, of ``size`` bytes."""
        if self._share or number == len(self._common):
            self._common.append(len(self._sizes))
            self._sizes.append(0)
        at = self._common[-1 if self._share else number]
        self._sizes[at] = max(self._sizes[at], size)
        return at


def pack(sizes: Sequence[int], live_ranges: Sequence[LiveRanges]) -> tuple[list[int], int]:
    """The offset of each array, and the total size: no two arrays live at one moment overlap.

    Greedy: each array gets the lowest offset that is free over its live ranges. The result depends
    on the order, so three are tried: by size, by size times length, by length, descending.
    """
    if not sizes:
        return [], 0
    count = len(sizes)
    rounded = [_rounded(size) for size in sizes]
    lengths = [sum(last - first + 1 for first, last in spans) for spans in live_ranges]
    areas = [size * length for size, length in zip(rounded, lengths, strict=True)]
    lower_bound = _peak_bytes(rounded, live_ranges)
    beside = _live_together(live_ranges)
    best: tuple[list[int], int] | None = None
    for weight in (rounded, areas, lengths):
        order = sorted(range(count), key=lambda index: (-weight[index], -rounded[index], index))
        placement = _place(order, rounded, beside)
        if best is None or placement[1] < best[1]:
            best = placement
        if best[1] <= lower_bound:
            break
    assert best is not None
    return best


def _rounded(size: int) -> int:
    """The bytes that an array takes. Those of large ones are so many that the next one begins
    elsewhere in its page: where a layer reads one array and writes another at the same places of
    pages, processors take its loads for loads of what it has just stored.
    """
    whole = -(-size // ALIGN) * ALIGN
    return whole if size < 4 * _PAGE else whole + (_APART - whole) % _PAGE


def _place(
    order: Sequence[int], sizes: Sequence[int], beside: Sequence[Collection[int]]
) -> tuple[list[int], int]:
    """Place the arrays in this order, each at the lowest free offset."""
    ends: dict[int, tuple[int, int]] = {}
    for this in order:
        start, size = 0, sizes[this]
        for begin, stop in sorted([ends[other] for other in beside[this] if other in ends]):
            if begin - start >= size:
                break
            start = max(start, stop)
        ends[this] = start, start + size
    return [ends[this][0] for this in range(len(sizes))], max(stop for _, stop in ends.values())


def _live_together(live_ranges: Sequence[LiveRanges]) -> list[set[int]]:
    """Of each array, those that are live at a moment when it is."""
    beside: list[set[int]] = [set() for _ in live_ranges]
    spans = [(first, last, index) for index, each in enumerate(live_ranges) for first, last in each]
    live: list[tuple[int, int]] = []
    for first, last, index in sorted(spans):
        live = [each for each in live if each[0] >= first]
        for _, other in live:
            beside[index].add(other)
            beside[other].add(index)
        live.append((last, index))
    return beside


def _peak_bytes(sizes: Sequence[int], live_ranges: Sequence[LiveRanges]) -> int:
    """The lower bound of any placement: the bytes live at the worst moment."""
    changes: dict[int, int] = {}
    for size, spans in zip(sizes, live_ranges, strict=True):
        for first, last in spans:
            changes[first] = changes.get(first, 0) + size
            changes[last + 1] = changes.get(last + 1, 0) - size
    most = now = 0
    for moment in sorted(changes):
        now += changes[moment]
        most = max(most, now)
    return most
