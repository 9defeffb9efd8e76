"""True and false positives as the development kit of Pascal VOC counts them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from protonet.train.metrics.boxes import FoundBoxes, TrueBoxes, pairs_of
from protonet.train.metrics.precision import Curve


@dataclass(frozen=True)
class VocResult:
    """Which boxes found which objects.

    Attributes:
        found, truths: the boxes.
        counted: for each true box, whether it has to be found.
        right: for each found box, whether it is a true positive.
        object_of: the place of the object that it overlaps most; -1 where it overlaps none enough.
    """

    found: FoundBoxes
    truths: TrueBoxes
    counted: np.ndarray
    right: np.ndarray
    object_of: np.ndarray

    @cached_property
    def ignored(self) -> np.ndarray:
        """For each found box, whether it is neither a true nor a false positive."""
        ignored = np.zeros(len(self.found), bool)
        reached = self.object_of >= 0
        ignored[reached] = ~self.counted[self.object_of[reached]]
        return ignored

    def curve(self, label: int) -> Curve:
        """Precision over recall of a class."""
        kept = (self.found.labels == label) & ~self.ignored
        objects = np.count_nonzero(self.counted & (self.truths.labels == label))
        order = np.flatnonzero(kept)
        order = order[np.argsort(self.found.images[order], kind="stable")]
        return Curve.of(self.found.scores[order], self.right[order], int(objects))

    def missed(self, score: float) -> np.ndarray:
        """For each true box, whether no box with this score or a higher one found it, and it
        counts.
        """
        hit = np.zeros(len(self.truths), bool)
        hit[self.object_of[self.right & (self.found.scores >= score)]] = True
        return self.counted & ~hit

    def false(self, score: float) -> np.ndarray:
        """For each found box, whether it has this score or a higher one and is a false positive."""
        return np.asarray(~self.right & ~self.ignored & (self.found.scores >= score))


def voc(
    found: FoundBoxes, truths: TrueBoxes, threshold: float = 0.5, *, difficult: bool = False
) -> VocResult:
    """Which boxes found which objects.

    Boxes are visited by descending score. One is a true positive when the object of its class
    that it overlaps most, by ``threshold`` or more, was not found before. One whose object is
    difficult is neither, unless ``difficult`` objects count. (VOC's kit, VOCevaldet.m; the SSD
    fork's DetectionEvaluate.)
    """
    counted = np.ones(len(truths), bool) if difficult else ~truths.difficult
    order = found.ranked()
    best, reached = _best_object(found[order], truths, threshold)
    easy = np.zeros(len(found), bool)
    easy[reached] = counted[best[reached]]
    _, first = np.unique(best[easy], return_index=True)
    right = np.zeros(len(found), bool)
    right[order[np.flatnonzero(easy)[first]]] = True
    object_of = np.full(len(found), -1)
    object_of[order[reached]] = best[reached]
    return VocResult(found, truths, counted, right, object_of)


def _best_object(
    found: FoundBoxes, truths: TrueBoxes, threshold: float
) -> tuple[np.ndarray, np.ndarray]:
    """The object that each box overlaps most, and whether by the threshold or more."""
    pairs = pairs_of(found, truths, threshold)
    best = np.zeros(len(found), np.int64)
    reached = np.zeros(len(found), bool)
    # by overlap, and of equal ones the first object last, which then stays
    order = np.lexsort((-pairs.truths, pairs.overlaps))
    best[pairs.found[order]] = pairs.truths[order]
    reached[pairs.found] = True
    return best, reached
