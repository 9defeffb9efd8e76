"""Predict on all images of a database, a folder or a list, and keep what the net says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

import numpy as np

from protonet.data.database import Database, is_database
from protonet.data.datum import decode
from protonet.errors import DataError, UsageError
from protonet.jobs.detection.detector import Detector, detection_outputs
from protonet.jobs.evaluation.detection import DetectionReport
from protonet.jobs.evaluation.labelled import LISTS, Item, find_items
from protonet.jobs.evaluation.segmenter import can_segment
from protonet.jobs.inference.trained_run import Predictor
from protonet.jobs.predictions.boxes import write_boxes
from protonet.jobs.predictions.pixels import predict_pixels
from protonet.jobs.predictions.predict_boxes import (
    check_boxes,
    predicted_report,
    validated_report,
)
from protonet.jobs.predictions.stored import About, PredictionWriter
from protonet.jobs.run.directory import RunDirectory
from protonet.jobs.run.settings import RunSettings

_BATCH = 64
_ANY = 2**31

Progress = Callable[[int, int], None]
Allow = Callable[[Path], object]


def predict_all(
    run: RunDirectory,
    folder: Path,
    images: Path,
    labels: Path | None = None,
    snapshot: str = "last",
    *,
    most: int | None = None,
    progress: Progress = lambda _, __: None,
    allow: Allow = lambda _: None,
) -> About:
    """Predict on images with their truths: classes or boxes in their records, or the label vectors
    or classes of pixels of the database ``labels``.

    Args:
        run: a training of one output, a detector or a segmentation.
        folder: a new one for the predictions.
        images: a database; for classes and numbers a folder or a list of files, too.
        labels: label vectors with the keys of the database, or its classes of pixels.
        snapshot: as for ``Predictor``.
        most: the number of images, from the first one; None for all.
        progress: called with the number of images done, and of all.
        allow: called with each file of a folder or list; raises for one that may not be read.

    Raises:
        UsageError, DataError: for images or labels that cannot be read, or do not fit the net.
    """
    with Predictor(run, snapshot) as predictor:
        if can_segment(predictor):
            return predict_pixels(predictor, folder, images, labels, most, progress)
        if not detection_outputs(predictor):
            return predict_with(
                predictor, folder, images, labels, most=most, progress=progress, allow=allow
            )
        check_boxes(images, labels)
        report = _grouped(predictor, images, most, progress)
    if report is None:
        report = validated_report(run, predictor.iteration, images, most, progress)
    return write_boxes(folder, report, images, predictor.iteration)


def _grouped(
    predictor: Predictor, images: Path, most: int | None, progress: Progress
) -> DetectionReport | None:
    """The report on DetectNet; None for a net whose validation net has the boxes."""
    detector = Detector(predictor)
    return predicted_report(detector, images, most, progress) if detector.groups else None


def predict_with(
    predictor: Predictor,
    folder: Path,
    images: Path,
    labels: Path | None = None,
    *,
    most: int | None = None,
    progress: Progress = lambda _, __: None,
    allow: Allow = lambda _: None,
) -> About:
    """As ``predict_all``, with a trained net that is open and predicts a class or numbers."""
    if is_database(images):
        return _predict_database(predictor, folder, images, labels, most, progress)
    return _predict_items(predictor, folder, images, most, progress, allow)


def _learned_numbers(predictor: Predictor) -> bool:
    """Whether the run learned from a database of label vectors, so that no answer is a class."""
    settings = predictor.run.record().settings
    return isinstance(settings, RunSettings) and settings.labels is not None


def _width(predictor: Predictor) -> int:
    """The number of values of the first output."""
    return int(np.prod(next(iter(predictor.outputs.values()))[1:]))


def _writer(
    predictor: Predictor,
    folder: Path,
    images: Path,
    labels: Path | None,
    most: int,
    names: Sequence[str],
) -> PredictionWriter:
    """A writer for the first output: numbers with ``labels``, or of a run that learned from such
    ones, else scores of classes with these names.
    """
    name, width = next(iter(predictor.outputs)), _width(predictor)
    classes: tuple[str, ...] = ()
    if labels is None and (names or width > 1) and not _learned_numbers(predictor):
        classes = tuple(names) if len(names) == width else tuple(map(str, range(width)))
    about = About(predictor.iteration, name, images, labels, classes)
    return PredictionWriter(folder, about, most, width)


def _predict_database(
    predictor: Predictor,
    folder: Path,
    images: Path,
    labels: Path | None,
    most: int | None,
    progress: Progress,
) -> About:
    with ExitStack() as stack:
        stored = stack.enter_context(Database(images))
        vectors = None if labels is None else stack.enter_context(Database(labels))
        keys = stored.keys()[:most]
        if not keys:
            raise DataError(f"{images}: there is no image to predict on")
        if stored.has_boxes:
            raise UsageError(f"{images.name}: its images have boxes, but the net finds none")
        names = predictor.class_names or []
        writer = stack.enter_context(_writer(predictor, folder, images, labels, len(keys), names))
        left = iter(keys)
        done = 0
        while batch := list(islice(left, _BATCH)):
            pixels = [_pixels(stored, key, predictor) for key in batch]
            for key, outputs in zip(batch, predictor.ask(pixels), strict=True):
                scores = next(iter(outputs.values()))
                known = vectors is not None or writer.of_classes
                truth = _truth(stored, vectors, key, scores.size) if known else None
                writer.add(key.decode(errors="replace"), scores, truth)
            done += len(batch)
            progress(done, len(keys))
        return writer.complete()


def _pixels(stored: Database, key: bytes, predictor: Predictor) -> np.ndarray:
    image, _ = stored.image(key)
    if image.shape != predictor.transformer.shape:
        raise DataError(
            f"{stored.where(key)}: the image is {image.shape}, the net was trained on "
            f"{predictor.transformer.shape}"
        )
    return image


def _truth(stored: Database, vectors: Database | None, key: bytes, width: int) -> Sequence[float]:
    """The class of a record, or its label vector."""
    if vectors is None:
        return [float(stored.get(key).label)]
    vector = decode(vectors.get(key), vectors.where(key)).ravel()
    if vector.size != width:
        raise DataError(
            f"{vectors.where(key)}: the net predicts {width} number(s), the label has {vector.size}"
        )
    return [float(value) for value in vector]


def _predict_items(
    predictor: Predictor,
    folder: Path,
    images: Path,
    most: int | None,
    progress: Progress,
    allow: Allow,
) -> About:
    if not images.is_dir() and images.suffix.lower() not in LISTS:
        raise UsageError(
            f"{images.name}: expected a database, a folder, or a list of files ({', '.join(LISTS)})"
        )
    classes = predictor.class_names
    count = len(classes or ()) or _width(predictor)
    if _learned_numbers(predictor):
        count = _ANY  # a number behind a file is no class
    found = find_items([images], classes, count)
    items = found.items[:most]
    for item in items:
        allow(item.path)
    with _writer(predictor, folder, images, None, len(items), found.classes or []) as writer:
        for done, (item, scores) in enumerate(_answers(predictor, items, writer), 1):
            known = item.truth is not None and writer.of_classes
            writer.add(str(item.path), scores, [float(item.truth or 0)] if known else None)
            progress(done, len(items))
        return writer.complete()


def _answers(
    predictor: Predictor, items: Sequence[Item], writer: PredictionWriter
) -> Iterator[tuple[Item, np.ndarray]]:
    """The images that can be read, with the net's first output."""
    for start in range(0, len(items), _BATCH):
        batch = items[start : start + _BATCH]
        left = iter(batch)
        paths = [item.path for item in batch]
        for found in predictor.stream(paths, lambda _, error: writer.fail(str(error))):
            # In the order of the files, without those that cannot be read.
            item = next(item for item in left if item.path == found.image)
            yield item, next(iter(found.outputs.values()))
