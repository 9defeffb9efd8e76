"""Precision over recall of the boxes of one class, and the forms of average precision."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from protonet.solvers.evaluation import ApVersion


@dataclass(frozen=True)
class Curve:
    """Precision and recall of a class at each score, the highest first.

    Attributes:
        scores: of the boxes that were found, descending, (N,).
        right: whether each is a true positive, (N,) bool.
        objects: how many there are to find.
    """

    scores: np.ndarray
    right: np.ndarray
    objects: int

    @staticmethod
    def of(scores: np.ndarray, right: np.ndarray, objects: int) -> Curve:
        """From boxes in any order; equal scores keep it."""
        order = np.argsort(-scores, kind="stable")
        return Curve(scores[order], np.asarray(right, bool)[order], objects)

    @property
    def precision(self) -> np.ndarray:
        """The share of true positives among the boxes down to each score."""
        return np.asarray(np.cumsum(self.right) / np.arange(1, 1 + len(self.right)))

    @property
    def recall(self) -> np.ndarray:
        """The share of the objects that the boxes down to each score found; NaN for no object."""
        hits = np.cumsum(self.right).astype(np.float64)
        return hits / self.objects if self.objects else np.full(len(hits), np.nan)

    def average_precision(self, version: ApVersion) -> float:
        """0 without boxes; NaN without objects.

        - 11point: the mean over recalls 0, 0.1, ..., 1 of the highest precision at that recall or
          a higher one (VOC up to 2009).
        - MaxIntegral: the area below the curve, where precision is the highest at that recall or
          a higher one (VOC since 2010).
        - Integral: the area below the curve as it is: the precision of each true positive, over
          the number of objects.
        """
        if not self.objects:
            return float("nan")
        if version == "Integral":
            return float(self.precision[self.right].sum() / self.objects)
        highest = np.append(_highest_from(self.precision), 0.0)
        if version == "MaxIntegral":
            return float(highest[:-1][self.right].sum() / self.objects)
        return float(highest[np.searchsorted(self.recall, np.arange(11) / 10)].mean())

    def at(self, score: float) -> tuple[int, int]:
        """True and false positives among the boxes with this score or a higher one."""
        count = int(np.searchsorted(-self.scores, -score, side="right"))
        right = int(np.count_nonzero(self.right[:count]))
        return right, count - right


def mean(values: np.ndarray | list[float]) -> float:
    """The mean of those that are numbers; NaN for none."""
    known = np.asarray(values, np.float64)
    known = known[~np.isnan(known)]
    return float(known.mean()) if len(known) else float("nan")


def _highest_from(values: np.ndarray) -> np.ndarray:
    """For each place the highest value there or behind."""
    return np.asarray(np.maximum.accumulate(values[::-1])[::-1])
