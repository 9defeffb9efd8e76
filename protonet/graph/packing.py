"""Arrays that are not all needed at the same time, in one stretch of memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

ALIGN = 64
"""Bytes to which arrays are aligned."""

Spans = tuple[tuple[int, int], ...]
"""When an array is needed: (first, last) moments, both included."""


class Momentary:
    """Storages of arrays that are each needed for one step: each its own where memory is shared
    over time, else the first of every step is one storage, the second one, and so on.

    Args:
        sizes: of all storages, to which theirs are appended.
        share: whether memory is shared over time.
    """

    def __init__(self, sizes: list[int], share: bool) -> None:
        self._sizes, self._share = sizes, share
        self._common: list[int] = []

    def place(self, number: int, size: int) -> int:
        """The storage of the ``number``-th array of a step, which takes ``size`` bytes."""
        if self._share or number == len(self._common):
            self._common.append(len(self._sizes))
            self._sizes.append(0)
        at = self._common[-1 if self._share else number]
        self._sizes[at] = max(self._sizes[at], size)
        return at


def pack(sizes: Sequence[int], lives: Sequence[Spans]) -> tuple[list[int], int]:
    """Where each array begins, and the end of the last: no two of one moment overlap.

    Each array goes to the lowest place that is free for all of its life. The order decides how
    good that is, so several are tried: the largest first; the largest and longest first; the
    longest first.
    """
    if not sizes:
        return [], 0
    count = len(sizes)
    rounded = np.array([-(-size // ALIGN) * ALIGN for size in sizes], np.int64)
    lengths = np.array([sum(last - first + 1 for first, last in spans) for spans in lives])
    least = _most_at_once(rounded, lives)
    meets = _meetings(lives)
    best: tuple[list[int], int] | None = None
    for weight in (rounded, rounded * lengths, lengths):
        order = sorted(range(count), key=lambda index: (-weight[index], -rounded[index], index))
        found = _place(order, rounded, meets)
        if best is None or found[1] < best[1]:
            best = found
        if best[1] <= least:
            break
    assert best is not None
    return best


def _place(order: Sequence[int], sizes: np.ndarray, meets: np.ndarray) -> tuple[list[int], int]:
    """One array after the other, each at the lowest place that is free."""
    offsets = np.zeros(len(sizes), np.int64)
    placed = np.zeros(len(sizes), bool)
    end = 0
    for this in order:
        others = np.flatnonzero(meets[this] & placed)
        others = others[np.argsort(offsets[others], kind="stable")]
        start, size = 0, int(sizes[this])
        begins, ends = offsets[others].tolist(), (offsets[others] + sizes[others]).tolist()
        for begin, stop in zip(begins, ends, strict=True):
            if begin - start >= size:
                break
            start = max(start, stop)
        offsets[this] = start
        placed[this] = True
        end = max(end, start + size)
    return offsets.tolist(), end


def _meetings(lives: Sequence[Spans]) -> np.ndarray:
    """Which two arrays are needed at the same moment, as a symmetric matrix."""
    spans = [(index, *span) for index, each in enumerate(lives) for span in each]
    owner, first, last = (np.array(column, np.int64) for column in zip(*spans, strict=True))
    both = (first[:, None] <= last[None, :]) & (first[None, :] <= last[:, None])
    meets = np.zeros((len(lives), len(lives)), bool)
    rows, columns = np.nonzero(both)
    meets[owner[rows], owner[columns]] = True
    return meets


def _most_at_once(sizes: np.ndarray, lives: Sequence[Spans]) -> int:
    """What no placement can be better than: the bytes that are needed at the worst moment."""
    changes: dict[int, int] = {}
    for size, spans in zip(sizes.tolist(), lives, strict=True):
        for first, last in spans:
            changes[first] = changes.get(first, 0) + size
            changes[last + 1] = changes.get(last + 1, 0) - size
    most = now = 0
    for moment in sorted(changes):
        now += changes[moment]
        most = max(most, now)
    return most
