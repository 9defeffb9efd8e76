"""Predictions of classes: which are wrong, and how sure the net was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from protonet.jobs.inference.classification import as_probabilities
from protonet.jobs.predictions.stored import StoredPredictions


@dataclass(frozen=True)
class ClassFigures:
    """Of one class: the images that have it, that were taken for it, and that are right.

    ``recall`` is the share of its images that is right, ``precision`` of the images taken for it;
    NaN of none.
    """

    name: str
    images: int
    predicted: int
    right: int
    recall: float
    precision: float

    @staticmethod
    def of(name: str, images: int, predicted: int, right: int) -> ClassFigures:
        """With the shares of these counts."""
        recall, precision = (right / whole if whole else float("nan")
                             for whole in (images, predicted))  # fmt: skip
        return ClassFigures(name, images, predicted, right, recall, precision)


@dataclass(frozen=True)
class ClassedImage:
    """An image: its place among the predictions, its key or file, its true class (None if unknown),
    and the classes with the greatest scores.
    """

    place: int
    name: str
    truth: str | None
    best: tuple[tuple[str, float], ...]


class ClassPredictions:
    """The predictions of a classifier, in the orders in which one looks at them.

    Orders are arrays of places among the predictions.
    """

    def __init__(self, stored: StoredPredictions) -> None:
        self.stored, self.about, self.classes = stored, stored.about, stored.about.classes
        known = np.nan_to_num(stored.truths[:, 0], nan=-1).astype(np.int64)
        self.truths = np.where(known < len(self.classes), known, -1)
        """The true class of each image, -1 if unknown."""

    @cached_property
    def ranked(self) -> np.ndarray:
        """The classes of each image with the greatest scores, images x 5, the greatest first."""
        return np.array(self.stored.ranked)

    @property
    def predicted(self) -> np.ndarray:
        """The predicted class of each image."""
        return self.ranked[:, 0]

    @cached_property
    def confidence(self) -> np.ndarray:
        """The score of each predicted class."""
        places = np.arange(len(self.predicted))
        return np.asarray(self.stored.scores[places, self.predicted])

    @cached_property
    def confusion(self) -> np.ndarray:
        """Images with a known class by (true class, predicted class)."""
        known, count = self.truths >= 0, len(self.classes)
        pairs = self.truths[known] * count + self.predicted[known]
        return np.bincount(pairs, minlength=count * count).reshape(count, count)

    @property
    def known(self) -> int:
        """The number of images whose class is known."""
        return int((self.truths >= 0).sum())

    def accuracy(self, among: int = 1) -> float:
        """The share of images whose class is among the ``among`` best; NaN if no class is known."""
        if not self.known:
            return float("nan")
        hits = (self.ranked[:, :among] == self.truths[:, None]).any(axis=1)
        return float(hits.sum()) / self.known

    def figures(self) -> list[ClassFigures]:
        """The figures of each class."""
        return class_figures(self.confusion, self.classes)

    @cached_property
    def wrong(self) -> np.ndarray:
        """The images with a wrong prediction, the surest first."""
        places = np.flatnonzero((self.truths >= 0) & (self.predicted != self.truths))
        return places[np.argsort(-self.confidence[places], kind="stable")]

    def cell(self, truth: int, predicted: int) -> np.ndarray:
        """The images of a cell of the confusion matrix, the surest first."""
        places = np.flatnonzero((self.truths == truth) & (self.predicted == predicted))
        return places[np.argsort(-self.confidence[places], kind="stable")]

    def likeliest(self, of: int) -> np.ndarray:
        """All images, those with the greatest score of a class first."""
        return np.argsort(-np.asarray(self.stored.scores[:, of]), kind="stable")

    def images(self, places: np.ndarray) -> list[ClassedImage]:
        """The images at some places."""
        return [self._image(int(place)) for place in places]

    def _image(self, place: int) -> ClassedImage:
        scores = as_probabilities(np.asarray(self.stored.scores[place]))
        best = tuple((self.classes[at], float(scores[at])) for at in self.ranked[place])
        truth = int(self.truths[place])
        name = self.stored.names[place]
        return ClassedImage(place, name, self.classes[truth] if truth >= 0 else None, best)


def class_figures(confusion: np.ndarray, classes: Sequence[str]) -> list[ClassFigures]:
    """The figures of each class from counts by (true class, predicted class)."""
    images, taken, right = confusion.sum(axis=1), confusion.sum(axis=0), confusion.diagonal()
    return [
        ClassFigures.of(name, *counts)
        for name, *counts in zip(
            classes, images.tolist(), taken.tolist(), right.tolist(), strict=True
        )
    ]
