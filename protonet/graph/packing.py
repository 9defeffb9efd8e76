"""Memory planning: arrays that are not all live at the same time share one arena."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

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
    interferes = _interference(live_ranges)
    best: tuple[list[int], int] | None = None
    for weight in (rounded, areas, lengths):
        order = sorted(range(count), key=lambda index: (-weight[index], -rounded[index], index))
        placement = _place(order, rounded, interferes)
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
    order: Sequence[int], sizes: Sequence[int], interferes: np.ndarray
) -> tuple[list[int], int]:
    """Place the arrays in this order, each at the lowest free offset."""
    offsets = [0] * len(sizes)
    placed = np.zeros(len(sizes), bool)
    end = 0
    for this in order:
        others = np.flatnonzero(interferes[this] & placed).tolist()
        start, size = 0, sizes[this]
        for other in sorted(others, key=offsets.__getitem__):
            if offsets[other] - start >= size:
                break
            start = max(start, offsets[other] + sizes[other])
        offsets[this] = start
        placed[this] = True
        end = max(end, start + size)
    return offsets, end


def _interference(live_ranges: Sequence[LiveRanges]) -> np.ndarray:
    """Which pairs of arrays are live at the same moment, as a symmetric matrix."""
    spans = [(index, *span) for index, each in enumerate(live_ranges) for span in each]
    owner, first, last = (np.array(column, np.int64) for column in zip(*spans, strict=True))
    both = (first[:, None] <= last[None, :]) & (first[None, :] <= last[:, None])
    interferes = np.zeros((len(live_ranges), len(live_ranges)), bool)
    rows, columns = np.nonzero(both)
    interferes[owner[rows], owner[columns]] = True
    return interferes


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
