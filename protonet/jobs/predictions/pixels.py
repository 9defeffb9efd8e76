"""Predictions of the classes of pixels: their figures, and the images with the lowest mean IoU."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from protonet.data.class_table import (
    CLASS_TABLE,
    ClassTable,
    Colour,
    read_class_table,
    write_class_table,
)
from protonet.data.database import Database, is_database
from protonet.data.datum import decode, make_datum
from protonet.data.writer import DatabaseWriter
from protonet.errors import DataError, FormatError, UsageError
from protonet.jobs.evaluation.segmentation import ClassFigures, PixelPairs, SegmentationReport
from protonet.jobs.evaluation.segmenter import Segmenter
from protonet.jobs.inference.trained_run import Predictor
from protonet.jobs.predictions.stored import About, read_arrays, read_names, reading, write_names
from protonet.train.metrics.segmentation import PixelCounts

_COUNTS, _MAPS, _LABELS = "pixels.npz", "maps", "label_keys"
_MISTAKES = 10
_NO_CELLS = np.zeros((0, 4), np.int32)


@dataclass(frozen=True)
class Mistake:
    """Pixels of a class that were taken for another, and their share of those of the class."""

    true: str
    predicted: str
    pixels: int
    share: float


@dataclass(frozen=True)
class PixelSummary:
    """The figures of a segmentation, as ``protonet test`` tells them.

    ``colors`` are those of the classes; ``confusion`` has the cells that are not 0: (true class,
    predicted class, pixels); ``mistakes`` the most frequent ones.
    """

    iteration: int
    count: int
    mean_iou: float
    pixel_accuracy: float
    mean_accuracy: float
    weighted_iou: float
    ignored: int
    classes: tuple[ClassFigures, ...]
    colors: tuple[Colour, ...]
    confusion: tuple[tuple[int, int, int], ...]
    mistakes: tuple[Mistake, ...]


@dataclass(frozen=True)
class MappedImage:
    """An image: its place among the predictions, its key, its mean IoU and pixel accuracy, and its
    true and predicted classes, (height, width); ``truth`` is None where it can be read no more.
    """

    place: int
    name: str
    mean_iou: float
    accuracy: float
    truth: np.ndarray | None = field(repr=False)
    predicted: np.ndarray = field(repr=False)


class PixelPredictions:
    """The classes of pixels that a net predicted, and counts of right and wrong ones."""

    def __init__(
        self,
        folder: Path,
        about: About,
        report: SegmentationReport,
        table: ClassTable,
        keys: tuple[Sequence[str], Sequence[str]],
        cells: np.ndarray,
    ) -> None:
        self.about, self.report, self.table, self._cells = about, report, table, cells
        self._maps = folder / _MAPS
        self.names, self._labels = keys

    @staticmethod
    def read(folder: Path) -> PixelPredictions:
        """Of a folder.

        Raises:
            FormatError, DataError: for files that are damaged, or absent.
        """
        about = About.read(folder)
        keys = read_names(folder, about.count), read_names(folder, about.count, _LABELS)
        stored = read_arrays(folder / _COUNTS)
        with reading(folder):
            counts = PixelCounts(stored["confusion"], int(stored["ignored"]))
            report = SegmentationReport(about.output, counts, stored["ious"], stored["accuracies"])
            cells = stored.get("cells", _NO_CELLS).reshape(-1, 4)
        if not len(report.ious) == len(report.accuracies) == about.count:
            raise FormatError(f"{folder}: the predictions are damaged: images are missing")
        if len(cells) and not 0 <= cells[:, 0].min() <= cells[:, 0].max() < about.count:
            raise FormatError(f"{folder}: the predictions are damaged: pixels of no image")
        table = read_class_table(folder / CLASS_TABLE)
        return PixelPredictions(folder, about, report, table, keys, cells)

    @property
    def classes(self) -> list[str]:
        """The names of the classes."""
        return [each.name for each in self.report.classes(self.table.names)]

    def summary(self) -> PixelSummary:
        """The figures of all images."""
        report, counts = self.report, self.report.counts
        classes, pixels = report.classes(self.table.names), counts.pixels
        confusion = counts.confusion
        return PixelSummary(
            self.about.iteration,
            self.about.count,
            counts.mean_iou,
            counts.accuracy,
            counts.mean_accuracy,
            counts.weighted_iou,
            counts.ignored,
            tuple(classes),
            tuple(map(tuple, self.table.palette()[: len(classes)].tolist())),
            tuple((int(a), int(b), int(confusion[a, b])) for a, b in np.argwhere(confusion)),
            tuple(
                Mistake(classes[true].name, classes[said].name, count, count / int(pixels[true]))
                for true, said, count in report.mistakes(_MISTAKES)
            ),
        )

    def worst(self) -> np.ndarray:
        """The places of images that have a mean IoU, those with the lowest first."""
        places = [place for place, _ in self.report.worst(self.about.count)]
        return np.array(places, np.int64)

    def cell(self, truth: int, predicted: int) -> np.ndarray:
        """The places of images with pixels of a class that were taken for another (or told right),
        those with the most first; none of predictions from before these were kept.
        """
        found = self._cells[(self._cells[:, 1] == truth) & (self._cells[:, 2] == predicted)]
        return np.asarray(found[np.argsort(-found[:, 3], kind="stable"), 0], np.int64)

    def images(self, places: np.ndarray) -> list[MappedImage]:
        """The images at some places, with what can still be read of their true classes.

        Raises:
            DataError: for predictions that are damaged.
        """
        with ExitStack() as stack:
            maps = stack.enter_context(Database(self._maps))
            labels = _opened(stack, self.about.labels)
            return [self._image(place, maps, labels) for place in places.tolist()]

    def _image(self, place: int, maps: Database, labels: Database | None) -> MappedImage:
        predicted = maps.image(_key(place))[0][0]
        truth = None
        if labels is not None:
            key = self._labels[place].encode()
            try:
                truth = decode(labels.get(key), labels.where(key))[0]
            except DataError:
                truth = None  # the data set has changed since
        report = self.report
        return MappedImage(
            place,
            self.names[place],
            float(report.ious[place]),
            float(report.accuracies[place]),
            truth,
            predicted,
        )


def predict_pixels(
    predictor: Predictor,
    folder: Path,
    images: Path,
    labels: Path | None,
    most: int | None,
    progress: Callable[[int, int], None],
) -> About:
    """As ``predict.predict_with``, with a net that has a score of each class for each pixel.

    Raises:
        UsageError: for anything but paired databases.
        DataError: for databases that cannot be read, or do not match the net.
    """
    if labels is None:
        raise UsageError("expected a database of images, and that of the classes of their pixels")
    if not is_database(images):
        raise UsageError(f"{images.name}: expected a database of images")
    segmenter = Segmenter(predictor, predictor.pixel_classes)
    pairs = PixelPairs(segmenter, images, labels)
    keys: list[tuple[str, str]] = []
    cells = [_NO_CELLS]

    def counts(maps: DatabaseWriter) -> Iterator[PixelCounts]:
        for shown in pairs.shown(most, progress):
            maps.put(_key(len(keys)), make_datum(shown.predicted[None], encoded=True))
            counted = pairs.counts(shown)
            cells.append(_cells_of(counted, len(keys)))
            keys.append((_text(shown.key), _text(shown.label_key)))
            yield counted

    with DatabaseWriter(folder / _MAPS) as maps:
        report = SegmentationReport.of(segmenter.output, counts(maps), segmenter.classes)
    about = About(
        predictor.iteration, segmenter.output, images, labels, segmenter.table.names, len(keys),
        form="pixels",
    )  # fmt: skip
    _write(folder, report, segmenter.table, keys, np.concatenate(cells))
    about.write(folder)
    return about


def _cells_of(counts: PixelCounts, place: int) -> np.ndarray:
    """(place of the image, true class, predicted class, pixels) where there are any."""
    found = np.argwhere(counts.confusion)
    pixels = counts.confusion[found[:, 0], found[:, 1]]
    return np.column_stack([np.full(len(found), place), found, pixels]).astype(np.int32)


def _write(
    folder: Path,
    report: SegmentationReport,
    table: ClassTable,
    keys: Sequence[tuple[str, str]],
    cells: np.ndarray,
) -> None:
    """The counts, the classes, and the keys of images and labels."""
    write_names(folder, (key for key, _ in keys))
    write_names(folder, (key for _, key in keys), _LABELS)
    write_class_table(folder, table)
    np.savez(
        folder / _COUNTS,
        confusion=report.counts.confusion,
        ignored=report.counts.ignored,
        ious=report.ious,
        accuracies=report.accuracies,
        cells=cells,
    )


def pixels_json(place: int, name: str, report: SegmentationReport) -> dict[str, Any]:
    """An image as commands and the API tell it; null where no pixel tells."""
    figures = {"mean_iou": report.ious[place], "accuracy": report.accuracies[place]}
    told = {key: None if math.isnan(value) else float(value) for key, value in figures.items()}
    return {"index": place, "image": name, **told}


def _opened(stack: ExitStack, path: Path | None) -> Database | None:
    try:
        return None if path is None else stack.enter_context(Database(path))
    except DataError:
        return None


def _key(place: int) -> bytes:
    return b"%010d" % place


def _text(key: bytes) -> str:
    return key.decode(errors="replace")
