"""Boxes that were found and true boxes of many images, as flat tables, and the pairs of both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

FOUND_COLUMNS = 7
"""Of a row of DetectionOutput: image, label, score, xmin, ymin, xmax, ymax."""
TRUE_COLUMNS = 8
"""Of a row of AnnotatedData: image, label, instance, xmin, ymin, xmax, ymax, difficult."""
_FARTHEST = 1e9
"""Corners beyond are set to it: sizes of boxes are finite."""
_MOST_PAIRS = 2_000_000
"""Pairs of boxes that are compared at once."""


@dataclass(frozen=True)
class FoundBoxes:
    """Boxes that a net found.

    Attributes:
        images: the number of the image of each, (N,) int64.
        labels: the number of its class, (N,) int64.
        scores: (N,) float64.
        corners: xmin, ymin, xmax, ymax, (N, 4) float64.
    """

    images: np.ndarray
    labels: np.ndarray
    scores: np.ndarray
    corners: np.ndarray

    @staticmethod
    def of_rows(rows: np.ndarray, first: int = 0) -> FoundBoxes:
        """From rows of DetectionOutput; ``first`` is the number of the batch's first image."""
        rows = np.asarray(rows, np.float64).reshape(-1, FOUND_COLUMNS)
        rows = rows[(rows[:, 0] >= 0) & (rows[:, 1] >= 0)]
        images, labels = rows[:, 0].astype(np.int64) + first, rows[:, 1].astype(np.int64)
        # a net that diverges gives any numbers
        corners = np.clip(np.nan_to_num(rows[:, 3:]), -_FARTHEST, _FARTHEST)
        return FoundBoxes(images, labels, np.nan_to_num(rows[:, 2]), corners)

    @staticmethod
    def joined(parts: Iterable[FoundBoxes]) -> FoundBoxes:
        """All boxes of several tables."""
        every = [*parts, FoundBoxes.of_rows(np.empty(0))]
        return FoundBoxes(
            np.concatenate([each.images for each in every]),
            np.concatenate([each.labels for each in every]),
            np.concatenate([each.scores for each in every]),
            np.concatenate([each.corners for each in every]),
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, which: np.ndarray) -> FoundBoxes:
        return FoundBoxes(
            self.images[which], self.labels[which], self.scores[which], self.corners[which]
        )

    def clipped(self) -> FoundBoxes:
        """Those in fractions of images, within the images."""
        return replace(self, corners=np.clip(self.corners, 0, 1))

    def ranked(self) -> np.ndarray:
        """The places of the boxes by image, label and descending score; equal ones as they are."""
        return np.lexsort((-self.scores, self.labels, self.images))


@dataclass(frozen=True)
class TrueBoxes:
    """True boxes; columns as of ``FoundBoxes``.

    Attributes:
        difficult: (N,) bool: such an object need not be found (VOC).
        crowd: (N,) bool: a box around many objects (COCO's iscrowd).
    """

    images: np.ndarray
    labels: np.ndarray
    corners: np.ndarray
    difficult: np.ndarray
    crowd: np.ndarray

    @staticmethod
    def of_rows(rows: np.ndarray, first: int = 0) -> TrueBoxes:
        """From rows of AnnotatedData. What convert-detection calls difficult in COCO's data are
        crowds; both marks are that column.
        """
        rows = np.asarray(rows, np.float64).reshape(-1, TRUE_COLUMNS)
        rows = rows[rows[:, 0] >= 0]
        images, labels = rows[:, 0].astype(np.int64) + first, np.round(rows[:, 1]).astype(np.int64)
        return TrueBoxes(images, labels, rows[:, 3:7], rows[:, 7] != 0, rows[:, 7] != 0)

    @staticmethod
    def joined(parts: Iterable[TrueBoxes]) -> TrueBoxes:
        """All boxes of several tables."""
        every = [*parts, TrueBoxes.of_rows(np.empty(0))]
        return TrueBoxes(
            np.concatenate([each.images for each in every]),
            np.concatenate([each.labels for each in every]),
            np.concatenate([each.corners for each in every]),
            np.concatenate([each.difficult for each in every]),
            np.concatenate([each.crowd for each in every]),
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, which: np.ndarray) -> TrueBoxes:
        return TrueBoxes(
            self.images[which],
            self.labels[which],
            self.corners[which],
            self.difficult[which],
            self.crowd[which],
        )


class Pairs(NamedTuple):
    """Places of found boxes and of true ones of the same image and label, and their overlaps."""

    found: np.ndarray
    truths: np.ndarray
    overlaps: np.ndarray


def pairs_of(found: FoundBoxes, truths: TrueBoxes, least: float, *, crowds: bool = False) -> Pairs:
    """All pairs with an overlap of ``least`` or more, by found box and then by true box.

    Overlap is intersection over union; with ``crowds``, for a crowd, intersection over the size
    of the found box.
    """
    kept = [
        Pairs(*(column[overlaps >= least] for column in (at, on, overlaps)))
        for at, on, overlaps in _compared(found, truths, crowds)
    ]
    if not kept:
        return Pairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
    return Pairs(*(np.concatenate(column) for column in zip(*kept, strict=True)))


def _compared(found: FoundBoxes, truths: TrueBoxes, crowds: bool) -> Iterator[Pairs]:
    """All pairs, in parts that fit in memory."""
    order, begins, counts = _same(found, truths)
    ends = np.cumsum(counts)
    start = 0
    while start < len(found):
        before = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + _MOST_PAIRS, side="right")))
        part = counts[start:stop]
        at = np.repeat(np.arange(start, stop), part)
        within = np.arange(len(at)) - np.repeat(np.cumsum(part) - part, part)
        on = order[np.repeat(begins[start:stop], part) + within]
        crowd = truths.crowd[on] if crowds else None
        yield Pairs(at, on, _overlaps(found.corners[at], truths.corners[on], crowd))
        start = stop


def _same(found: FoundBoxes, truths: TrueBoxes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The true boxes in an order in which those of one image and label adjoin; for each found box
    where those of its image and label begin, and how many they are.
    """
    labels = np.concatenate([found.labels, truths.labels])
    width = int(labels.max(initial=0)) + 1
    keys = found.images * width + found.labels
    true_keys = truths.images * width + truths.labels
    order = np.argsort(true_keys, kind="stable")
    begins = np.searchsorted(true_keys[order], keys, side="left")
    return order, begins, np.searchsorted(true_keys[order], keys, side="right") - begins


def _overlaps(a: np.ndarray, b: np.ndarray, crowd: np.ndarray | None) -> np.ndarray:
    """Of the boxes in the same rows of (P, 4) and (P, 4)."""
    shared = np.maximum(np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2]), 0)
    common = shared[:, 0] * shared[:, 1]
    own, other = areas(a), areas(b)
    whole = own + other - common if crowd is None else np.where(crowd, own, own + other - common)
    return np.asarray(np.divide(common, whole, out=np.zeros_like(common), where=common > 0))


def areas(corners: np.ndarray) -> np.ndarray:
    """The area of each box of (N, 4); 0 for one whose end comes before its start."""
    extent = np.maximum(corners[:, 2:] - corners[:, :2], 0)
    return np.asarray(extent[:, 0] * extent[:, 1])
