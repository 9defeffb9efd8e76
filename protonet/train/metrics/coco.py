"""Average precision as COCO counts it: over ten overlaps from 0.5 to 0.95.

Source: Lin et al., Microsoft COCO, ECCV 2014; cocoapi, PythonAPI/pycocotools/cocoeval.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from protonet.train.metrics.boxes import FoundBoxes, Pairs, TrueBoxes, areas, pairs_of
from protonet.train.metrics.precision import mean

OVERLAPS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)
MOST_FOUND = 100
"""Boxes of an image and class that count, by descending score."""
SIZES = {"small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
"""Ranges of areas in pixels."""
_EVERY = (0.0, 1e10)


@dataclass(frozen=True)
class CocoResult:
    """Average precision of each class at each overlap.

    Attributes:
        by_class: (classes, 10); NaN for a class without objects.
        by_size: the mean over everything for objects of each range of areas, by the names of
            ``SIZES``; empty without sizes of images.
    """

    by_class: np.ndarray
    by_size: dict[str, float]

    @property
    def mean_ap(self) -> float:
        """The mean over classes with objects and overlaps from 0.5 to 0.95."""
        return mean(self.by_class)

    @property
    def ap50(self) -> float:
        """The mean over classes at an overlap of 0.5."""
        return mean(self.by_class[:, 0])

    @property
    def ap75(self) -> float:
        """The mean over classes at an overlap of 0.75."""
        return mean(self.by_class[:, 5])


def coco(
    found: FoundBoxes, truths: TrueBoxes, labels: Sequence[int], *, by_size: bool = False
) -> CocoResult:
    """COCO's figures of the classes ``labels``. Sizes are those of the corners: with ``by_size``
    these are pixels. Crowds need not be found, and a box that lies in one is neither right nor
    wrong.
    """
    found = _most_certain(found)
    pairs = pairs_of(found, truths, float(OVERLAPS[0]), crowds=True)
    every = _by_class(found, truths, pairs, labels, _EVERY)
    sizes = SIZES if by_size else {}
    ranges = {
        name: mean(_by_class(found, truths, pairs, labels, span)) for name, span in sizes.items()
    }
    return CocoResult(every, ranges)


def _most_certain(found: FoundBoxes) -> FoundBoxes:
    """By image, label and descending score, and of each image and label the first hundred."""
    found = found[found.ranked()]
    new = np.ones(len(found), bool)
    new[1:] = (np.diff(found.images) != 0) | (np.diff(found.labels) != 0)
    place = np.arange(len(found))
    return found[place - np.maximum.accumulate(np.where(new, place, 0)) < MOST_FOUND]


def _by_class(
    found: FoundBoxes,
    truths: TrueBoxes,
    pairs: Pairs,
    labels: Sequence[int],
    span: tuple[float, float],
) -> np.ndarray:
    """Average precision of (classes, overlaps) for objects whose area is in ``span``."""
    sizes, own = areas(truths.corners), areas(found.corners)
    ignored = truths.crowd | (sizes < span[0]) | (sizes > span[1])
    odd = (own < span[0]) | (own > span[1])
    result = np.full((len(labels), len(OVERLAPS)), np.nan)
    matched, ignored_found = _matches(len(found), truths.crowd, ignored, pairs)
    ignored_found |= (matched < 0) & odd
    for place, label in enumerate(labels):
        objects = int(np.count_nonzero(~ignored & (truths.labels == label)))
        if not objects:
            continue
        (mine,) = np.nonzero(found.labels == label)
        mine = mine[np.argsort(-found.scores[mine], kind="stable")]
        for at in range(len(OVERLAPS)):
            kept = mine[~ignored_found[at, mine]]
            result[place, at] = _average(matched[at, kept] >= 0, objects)
    return result


def _average(right: np.ndarray, objects: int) -> float:
    """The mean of the highest precision at each of 101 recalls or a higher one."""
    hits = np.cumsum(right)
    precision = hits / np.arange(1, 1 + len(right))
    highest = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
    return float(highest[np.searchsorted(hits / objects, RECALLS)].mean())


def _matches(
    count: int, crowd: np.ndarray, ignored: np.ndarray, pairs: Pairs
) -> tuple[np.ndarray, np.ndarray]:
    """For each overlap and found box the true box it matches (-1: none), and whether that one is
    ignored.

    Found boxes are visited in their order. One takes, among the objects that are free and overlap
    it enough, the one that it overlaps most, of equal ones the last; an ignored one only where
    there is no other. Crowds are always free.
    """
    matched = np.full((len(OVERLAPS), count), -1)
    # those that count first; of equal overlaps the last first
    order = np.lexsort((-pairs.truths, -pairs.overlaps, ignored[pairs.truths], pairs.found))
    ats, ons = pairs.found[order].tolist(), pairs.truths[order].tolist()
    overlaps, crowds = pairs.overlaps[order], crowd.tolist()
    for row, threshold in zip(matched, OVERLAPS, strict=True):
        enough = (overlaps >= min(threshold, 1 - 1e-10)).tolist()
        taken: set[int] = set()
        last = -1
        for at, on, fits in zip(ats, ons, enough, strict=True):
            if fits and at != last and (on not in taken or crowds[on]):
                row[at] = on
                taken.add(on)
                last = at
    on_ignored = np.zeros(matched.shape, bool)
    hit = matched >= 0
    on_ignored[hit] = ignored[matched[hit]]
    return matched, on_ignored
