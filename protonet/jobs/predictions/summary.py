"""Figures of predictions and their images as JSON: one form for commands and the API.

``read_predictions`` opens those of any net; commands tell of classes and numbers (``Scored``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from protonet.errors import UsageError
from protonet.jobs.evaluation.regression import Component
from protonet.jobs.inference.classification import as_probabilities
from protonet.jobs.json_form import finite_json
from protonet.jobs.predictions.boxes import BoxPredictions
from protonet.jobs.predictions.classes import ClassFigures, ClassPredictions
from protonet.jobs.predictions.numbers import NumberPredictions
from protonet.jobs.predictions.pixels import PixelPredictions
from protonet.jobs.predictions.stored import BEST, About, StoredPredictions

_MATRIX = 1000
"""Classes up to which the confusion matrix is listed."""

Scored = ClassPredictions | NumberPredictions
Found = Scored | BoxPredictions | PixelPredictions


@dataclass(frozen=True)
class ClassSummary:
    """The figures of a classifier: shares of images whose class is known. ``confusion`` has the
    cells that are not 0: (true class, predicted class, images).
    """

    iteration: int
    count: int
    known: int
    accuracy: float
    top_5: float
    classes: tuple[ClassFigures, ...]
    confusion: tuple[tuple[int, int, int], ...]
    failed: tuple[str, ...]
    failures: int


@dataclass(frozen=True)
class NumberSummary:
    """The figures of predicted numbers."""

    iteration: int
    count: int
    known: int
    components: tuple[Component, ...]
    failed: tuple[str, ...]
    failures: int


def read_predictions(folder: Path) -> Found:
    """The complete predictions of a folder.

    Raises:
        FormatError, DataError: for files that are damaged, or absent.
    """
    form = About.read(folder).form
    if form == "boxes":
        return BoxPredictions.read(folder)
    if form == "pixels":
        return PixelPredictions.read(folder)
    return scored(StoredPredictions.read(folder))


def scored(stored: StoredPredictions) -> Scored:
    """The predictions of classes or of numbers."""
    return ClassPredictions(stored) if stored.about.of_classes else NumberPredictions(stored)


def summarize(found: Scored) -> ClassSummary | NumberSummary:
    """The figures of all images."""
    about = found.stored.about
    shared = (about.iteration, about.count, found.known)
    if isinstance(found, NumberPredictions):
        return NumberSummary(*shared, tuple(found.components()), about.failed, about.failures)
    return ClassSummary(
        *shared,
        found.accuracy(),
        found.accuracy(min(BEST, len(found.classes))),
        tuple(found.figures()),
        tuple(_cells(found.confusion)),
        about.failed,
        about.failures,
    )


def summary_json(summary: ClassSummary | NumberSummary) -> dict[str, Any]:
    """A summary as JSON, with null for what is undefined."""
    return dict(finite_json(asdict(summary)))


def image_json(found: Scored, place: int) -> dict[str, Any]:
    """An image as JSON: of classes as ``classify --format json`` tells it, with the name of the
    true class; of numbers prediction, truth and their distance.
    """
    told: dict[str, Any] = {"index": place, "image": found.stored.names[place]}
    if isinstance(found, NumberPredictions):
        (image,) = found.images(np.array([place]))
        truth, said = image.truth, image.predicted
        return dict(
            finite_json({**told, "predicted": said, "true": truth, "distance": image.distance})
        )
    scores = as_probabilities(np.asarray(found.stored.scores[place]))
    told["top"] = [
        {"class": at, "name": found.classes[at], "score": finite_json(float(scores[at]))}
        for at in found.ranked[place].tolist()
    ]
    truth_number = int(found.truths[place])
    if truth_number >= 0:
        told |= {"true": truth_number, "true_name": found.classes[truth_number]}
    return told


def images_json(found: Scored, *, wrong: bool = False) -> Iterator[dict[str, Any]]:
    """All images as JSON, one by one; with ``wrong`` only the wrong ones, the surest first, or of
    numbers the farthest off first.

    Raises:
        UsageError: when the wrong ones are wanted and no truth is known.
    """
    places = np.arange(found.stored.about.count)
    if wrong:
        if not found.known:
            raise UsageError("which images are wrong is not known: none has a true class")
        places = found.worst if isinstance(found, NumberPredictions) else found.wrong
    return (image_json(found, int(place)) for place in places)


def _cells(confusion: np.ndarray) -> list[tuple[int, int, int]]:
    if len(confusion) > _MATRIX:
        return []
    return [
        (int(truth), int(said), int(confusion[truth, said]))
        for truth, said in np.argwhere(confusion)
    ]
