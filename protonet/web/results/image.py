"""Predictions of a trained net: for one image with all activations, or for many images."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from protonet.data.database import Database
from protonet.errors import DataError, UsageError
from protonet.jobs.evaluation.confusion import Report
from protonet.jobs.evaluation.labelled import LISTS, Item, find_items
from protonet.jobs.evaluation.regression import Component, VectorReport
from protonet.jobs.inference.classification import answer_json, as_probabilities, best
from protonet.jobs.inference.trained_run import Predictor
from protonet.jobs.run.directory import RunDirectory
from protonet.web.datasets import Histogram, histogram, picture, vector_of

_BEST = 5
_WORST = 12
_TILES = 64
_BATCH = 64


@dataclass(frozen=True)
class Statistic:
    """Statistics of an array: shape, mean, standard deviation, extremes, and histogram.

    ``png`` shows its planes side by side, if it has any.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    mean: float
    deviation: float
    least: float
    most: float
    histogram: Histogram
    png: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class ImagePrediction:
    """The prediction for one image, with the activations of every layer.

    ``classes`` are (name, score) of classifiers, the best first. ``answer`` is that of
    ``infer --json``.
    """

    snapshot: int
    outputs: dict[str, tuple[float, ...]]
    classes: tuple[tuple[str, float], ...]
    note: str
    seen: bytes = field(repr=False)
    activations: tuple[Statistic, ...]
    weights: tuple[Statistic, ...]
    answer: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Miss:
    """An item with a great error: its key or file, the prediction and the truth."""

    name: str
    predicted: str
    true: str
    distance: float
    png: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Predictions:
    """Predictions for many images.

    ``components`` and ``points`` ((true, predicted) for each) are of vectors; ``right`` and
    ``right_of_five`` are shares, and ``confusion`` counts (true, predicted), of known classes.
    ``rows`` are (name, prediction) of each image. ``failed`` are images that cannot be read.
    """

    snapshot: int
    count: int
    components: tuple[Component, ...] = ()
    points: tuple[tuple[tuple[float, float], ...], ...] = ()
    right: float | None = None
    right_of_five: float | None = None
    classes: tuple[str, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()
    worst: tuple[Miss, ...] = ()
    rows: tuple[tuple[str, str], ...] = ()
    failed: tuple[str, ...] = ()


def predict_image(run: RunDirectory, image: Path, snapshot: str = "last") -> ImagePrediction:
    """Predict on one image file.

    Raises:
        UsageError: when the run has no such snapshot.
        DataError: for a file that is absent, not an image, or damaged.
    """
    with Predictor(run, snapshot) as predictor:
        inside = predictor.activations(image)
        outputs = {
            name: tuple(float(v) for v in values.ravel()[:1000])
            for name, values in inside.prediction.outputs.items()
        }
        return ImagePrediction(
            predictor.iteration,
            outputs,
            _likeliest(inside.prediction.outputs, predictor.class_names),
            inside.prediction.note,
            picture(inside.seen),
            tuple(
                statistic(blob, f"{layer} ({kind})", values)
                for layer, kind, blob, values in inside.blobs
            ),
            tuple(statistic(name, "weights", values) for name, values in inside.weights),
            answer_json(inside.prediction, predictor.iteration, predictor.class_names),
        )


def predict_database(
    run: RunDirectory, images: Path, labels: Path | None, snapshot: str = "last", most: int = 1000
) -> Predictions:
    """Predict on the first images of a database, and compare with its labels.

    Raises:
        UsageError, DataError: for databases that cannot be read or do not match the net.
    """
    with Predictor(run, snapshot) as predictor, Database(images) as stored:
        keys = stored.keys()[:most]
        if labels is None:
            truths = _classes_of(stored, keys)
            return _compare_classes(predictor, _images(stored, keys, predictor), truths)
        with Database(labels) as vectors:
            true = np.array([vector_of(vectors, key) for key in keys])
        return _compare_vectors(predictor, stored, keys, true)


def predict_list(
    run: RunDirectory,
    path: Path,
    snapshot: str = "last",
    most: int = 1000,
    allow: Callable[[Path], object] = lambda _: None,
) -> Predictions:
    """Predict on the images of a folder or a list, with or without classes.

    ``allow`` is called with each file, and raises for one that may not be read.

    Raises:
        UsageError, DataError: for files that cannot be read.
    """
    if not path.is_dir() and path.suffix.lower() not in LISTS:
        raise UsageError(f"{path.name}: expected a folder, or a list of files ({', '.join(LISTS)})")
    with Predictor(run, snapshot) as predictor:
        classes = predictor.class_names
        items = find_items([path], classes, len(classes or ())).items[:most]
        for item in items:
            allow(item.path)
        return _predict_items(predictor, items)


def _predict_items(predictor: Predictor, items: Sequence[Item]) -> Predictions:
    """Predict on files, and compare with their classes if known."""
    classes = predictor.class_names
    failed: list[str] = []
    rows: list[tuple[str, str]] = []
    report, known = Report(len(classes or ())), False
    truths = {str(item.path): item.truth for item in items}
    paths = [item.path for item in items]
    for prediction in predictor.stream(paths, lambda _, error: failed.append(str(error))):
        scores = next(iter(prediction.outputs.values())).ravel()
        truth = truths[str(prediction.image)]
        rows.append((prediction.image.name, _told(scores, classes)))
        if classes and truth is not None:
            known = True
            report.add(truth, best(scores, min(_BEST, len(scores))))
    return Predictions(
        predictor.iteration,
        len(rows),
        right=report.right() / report.images if known else None,
        right_of_five=report.right(_BEST) / report.images if known else None,
        classes=tuple(classes or ()),
        rows=tuple(rows),
        failed=tuple(failed[:100]),
    )


def statistic(name: str, kind: str, values: np.ndarray) -> Statistic:
    """The statistics of an array."""
    flat = values.astype(np.float64).ravel()
    flat = flat[np.isfinite(flat)]
    empty = flat.size == 0
    return Statistic(
        name,
        kind,
        tuple(values.shape),
        0.0 if empty else float(flat.mean()),
        0.0 if empty else float(flat.std()),
        0.0 if empty else float(flat.min()),
        0.0 if empty else float(flat.max()),
        histogram(name, flat),
        tiles(values),
    )


def tiles(values: np.ndarray) -> bytes | None:
    """The first planes of an array side by side as PNG bytes; None if it has no planes."""
    if values.ndim < 3 or min(values.shape[-2:]) < 2:
        return None
    planes = values.reshape(-1, *values.shape[-2:])[:_TILES]
    count, height, width = planes.shape
    across = math.ceil(math.sqrt(count))
    down = math.ceil(count / across)
    low, high = float(planes.min()), float(planes.max())
    grid = np.full((down * (height + 1) - 1, across * (width + 1) - 1), low, np.float32)
    for place, plane in enumerate(planes):
        top, left = place // across * (height + 1), place % across * (width + 1)
        grid[top : top + height, left : left + width] = plane
    scaled = (grid - low) * (255 / (high - low) if high > low else 0)
    return picture(scaled.astype(np.uint8)[None])


def _likeliest(
    outputs: dict[str, np.ndarray], classes: list[str] | None
) -> tuple[tuple[str, float], ...]:
    for values in outputs.values():
        scores = as_probabilities(values.ravel())
        if classes and len(scores) == len(classes):
            return tuple((classes[i], float(scores[i])) for i in best(scores, _BEST))
    return ()


def _told(scores: np.ndarray, classes: list[str] | None) -> str:
    if classes and len(scores) == len(classes):
        return classes[best(scores, 1)[0]]
    return ", ".join(f"{value:.4g}" for value in scores[:8])


def _classes_of(stored: Database, keys: list[bytes]) -> list[int]:
    return [int(stored.get(key).label) for key in keys]


def _images(stored: Database, keys: list[bytes], predictor: Predictor) -> Iterator[np.ndarray]:
    for key in keys:
        image, _ = stored.image(key)
        if image.shape != predictor.transformer.shape:
            raise DataError(
                f"{stored.where(key)}: the image is {image.shape}, the net was trained on "
                f"{predictor.transformer.shape}"
            )
        yield image


def _asked(predictor: Predictor, images: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """The first output of each image as a vector."""
    images = iter(images)
    while batch := list(islice(images, _BATCH)):
        for outputs in predictor.ask(batch):
            yield next(iter(outputs.values())).ravel()


def _compare_classes(
    predictor: Predictor, images: Iterable[np.ndarray], truths: list[int]
) -> Predictions:
    scores = list(_asked(predictor, images))
    if not scores:
        raise DataError("there is no image to predict on")
    count = len(scores[0])
    report = Report(count)
    confusion = np.zeros((count, count), int) if count <= 100 else None
    for truth, each in zip(truths, scores, strict=True):
        if 0 <= truth < count:
            ranked = best(each, min(_BEST, count))
            report.add(truth, ranked)
            if confusion is not None:
                confusion[truth, ranked[0]] += 1
    names = predictor.class_names or [str(number) for number in range(count)]
    return Predictions(
        predictor.iteration,
        len(scores),
        right=report.right() / max(1, report.images),
        right_of_five=report.right(_BEST) / max(1, report.images),
        classes=tuple(names),
        confusion=() if confusion is None else tuple(tuple(map(int, row)) for row in confusion),
    )


def _compare_vectors(
    predictor: Predictor, stored: Database, keys: list[bytes], true: np.ndarray
) -> Predictions:
    predicted = np.array(list(_asked(predictor, _images(stored, keys, predictor))), np.float64)
    if predicted.shape != true.shape:
        raise DataError(
            f"the net predicts {predicted.shape[-1]} number(s), the labels have {true.shape[-1]}"
        )
    name = next(iter(predictor.outputs))
    report = VectorReport(name, name, predicted, true)
    worst = [
        Miss(
            keys[item].decode(errors="replace"),
            ", ".join(f"{value:.4g}" for value in predicted[item]),
            ", ".join(f"{value:.4g}" for value in true[item]),
            distance,
            picture(stored.image(keys[item])[0]),
        )
        for item, distance in report.worst(_WORST)
    ]
    return Predictions(
        predictor.iteration,
        len(predicted),
        components=tuple(report.components()),
        points=tuple(
            tuple(zip(true[:, place].tolist(), predicted[:, place].tolist(), strict=True))
            for place in range(min(12, true.shape[1]))
        ),
        worst=tuple(worst),
    )
