"""Predictions of numbers: how far they are from the truth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from protonet.jobs.evaluation.regression import Component, VectorReport
from protonet.jobs.predictions.stored import StoredPredictions


@dataclass(frozen=True)
class MeasuredImage:
    """An image: its place among the predictions, its key or file, the predicted and the true
    numbers (None if unknown), and the distance between them.
    """

    place: int
    name: str
    predicted: tuple[float, ...]
    truth: tuple[float, ...] | None
    distance: float | None


class NumberPredictions:
    """The predictions of a net whose outputs are numbers."""

    def __init__(self, stored: StoredPredictions) -> None:
        self.stored, self.about = stored, stored.about
        self._known = np.isfinite(stored.truths).all(axis=1)

    @property
    def known(self) -> int:
        """The number of images whose numbers are known."""
        return int(self._known.sum())

    @cached_property
    def report(self) -> VectorReport:
        """Predictions and truths of the images whose numbers are known."""
        stored, name = self.stored, self.stored.about.output
        predicted, true = stored.scores[self._known], stored.truths[self._known]
        return VectorReport(name, name, predicted.astype(np.float64), true.astype(np.float64))

    def components(self) -> list[Component]:
        """The errors of each number; none if no truth is known."""
        return self.report.components() if self.known else []

    @cached_property
    def distances(self) -> np.ndarray:
        """The distance of each prediction from its truth, NaN if unknown."""
        difference = np.asarray(self.stored.scores, np.float64) - self.stored.truths
        return np.asarray(np.sqrt((difference**2).sum(axis=1)))

    @cached_property
    def worst(self) -> np.ndarray:
        """The images whose numbers are known, the farthest off first."""
        order = np.argsort(-self.distances, kind="stable")
        return np.asarray(order[self._known[order]])

    def points(self, component: int, most: int) -> list[tuple[float, float]]:
        """(true, predicted) of one number, of at most so many images spread over all."""
        step = max(1, -(-self.known // most))
        true, predicted = (
            array[::step, component].tolist() for array in (self.report.true, self.report.predicted)
        )
        return list(zip(true, predicted, strict=True))

    def residuals(self, component: int) -> np.ndarray:
        """Prediction minus truth of one number."""
        return np.asarray(self.report.predicted[:, component] - self.report.true[:, component])

    def images(self, places: np.ndarray) -> list[MeasuredImage]:
        """The images at some places."""
        return [self._image(int(place)) for place in places]

    def _image(self, place: int) -> MeasuredImage:
        stored, known = self.stored, bool(self._known[place])
        return MeasuredImage(
            place,
            stored.names[place],
            tuple(map(float, stored.scores[place])),
            tuple(map(float, stored.truths[place])) if known else None,
            float(self.distances[place]) if known else None,
        )
