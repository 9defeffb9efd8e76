"""Predictions of boxes: their figures at any least score, and the images with most mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from protonet.errors import FormatError
from protonet.jobs.detection.pictures import color_of
from protonet.jobs.evaluation.detection import (
    SCORE,
    ClassFigures,
    Compared,
    DetectionReport,
    by_mistakes,
)
from protonet.jobs.predictions.stored import About, read_arrays, read_names, reading, write_names
from protonet.train.metrics.boxes import FoundBoxes, TrueBoxes
from protonet.train.metrics.coco import CocoResult
from protonet.train.metrics.voc import VocResult

_BOXES = "boxes.npz"
_POINTS = 200
"""Points of a curve that are told."""


@dataclass(frozen=True)
class BoxSummary:
    """The figures of a detector, as ``protonet test`` tells them.

    ``overlap`` is that of VOC's forms; shares and mistakes are of boxes with a score of
    ``threshold`` or more. ``mean`` has the means over classes. ``sizes`` are COCO's figures by the
    size of objects, where known. ``curves`` have (recall, precision) of each class, ``colors`` a
    color for each.
    """

    iteration: int
    count: int
    overlap: float
    threshold: float
    mean: ClassFigures
    classes: tuple[ClassFigures, ...]
    colors: dict[int, str]
    sizes: dict[str, float]
    curves: tuple[tuple[tuple[float, float], ...], ...]


@dataclass(frozen=True)
class PlacedBox:
    """A box in fractions of an image: xmin, ymin, xmax, ymax. ``score`` is None for a true box;
    ``mistake`` is true for an object that was missed and for a false alarm.
    """

    label: int
    name: str
    corners: tuple[float, float, float, float]
    score: float | None = None
    mistake: bool = False


@dataclass(frozen=True)
class BoxedImage:
    """An image: its place among the predictions, its key, how many objects were missed and boxes
    are false alarms, its true boxes, and the found ones with the score or a higher one.
    """

    place: int
    name: str
    missed: int
    false: int
    truths: tuple[PlacedBox, ...]
    found: tuple[PlacedBox, ...]


class BoxPredictions:
    """The boxes that a detector found, and the true ones. Scores of its methods are those from
    which on a box counts.
    """

    def __init__(self, about: About, report: DetectionReport) -> None:
        self.about, self.report = about, report

    @staticmethod
    def read(folder: Path) -> BoxPredictions:
        """Of a folder; nothing is compared again.

        Raises:
            FormatError: for files that are damaged, or absent.
        """
        about = About.read(folder)
        names = read_names(folder, about.count)
        stored = read_arrays(folder / _BOXES)
        with reading(folder):
            report = _report(about, names, stored)
        numbers = report.found.images, report.truths.images
        if max(each.max(initial=-1) for each in numbers) >= about.count:
            raise FormatError(f"{folder}: the predictions are damaged: boxes of no image")
        return BoxPredictions(about, report)

    def summary(self, score: float = SCORE) -> BoxSummary:
        """The figures of all images."""
        report = self.report
        return BoxSummary(
            self.about.iteration,
            self.about.count,
            report.threshold,
            score,
            report.mean(score),
            tuple(report.classes(score)),
            {label: color_of(label) for label in report.labels},
            report.coco.by_size,
            tuple(points_of(curve.recall, curve.precision) for curve in report.curves),
        )

    def worst(self, score: float = SCORE) -> np.ndarray:
        """The places of images with mistakes, misses and false alarms, those with most first."""
        missed, false = self.report.mistakes(score)
        return by_mistakes(missed + false)

    def images(self, places: np.ndarray, score: float = SCORE) -> list[BoxedImage]:
        """The images at some places."""
        report = self.report
        missed, false = report.voc.missed(score), report.voc.false(score)
        made = []
        for place in places.tolist():
            truths = self._true_of.at(place)
            found = self._found_of.at(place)
            found = found[report.found.scores[found] >= score]
            made.append(
                BoxedImage(
                    place,
                    report.key_of(place),
                    int(missed[truths].sum()),
                    int(false[found].sum()),
                    self._placed(report.truths, truths, missed),
                    self._placed(report.found, found, false, report.found.scores),
                )
            )
        return made

    @cached_property
    def _found_of(self) -> _ByImage:
        return _ByImage.of(self.report.found.images)

    @cached_property
    def _true_of(self) -> _ByImage:
        return _ByImage.of(self.report.truths.images)

    def _placed(
        self,
        boxes: FoundBoxes | TrueBoxes,
        places: np.ndarray,
        mistakes: np.ndarray,
        scores: np.ndarray | None = None,
    ) -> tuple[PlacedBox, ...]:
        made = []
        for at in places.tolist():
            left, top, right, bottom = np.clip(boxes.corners[at], 0, 1).tolist()
            label = int(boxes.labels[at])
            score = None if scores is None else float(scores[at])
            corners = (left, top, right, bottom)
            name = self.report.name_of(label)
            made.append(PlacedBox(label, name, corners, score, bool(mistakes[at])))
        return tuple(made)


@dataclass(frozen=True)
class _ByImage:
    """The places of boxes by image; ``images`` are those of the places in ``order``."""

    order: np.ndarray
    images: np.ndarray

    @staticmethod
    def of(images: np.ndarray) -> _ByImage:
        order = np.argsort(images, kind="stable")
        return _ByImage(order, images[order])

    def at(self, image: int) -> np.ndarray:
        """The places of an image's boxes, in their order."""
        begin, end = (np.searchsorted(self.images, image, side) for side in ("left", "right"))
        return self.order[begin:end]


def boxed_json(image: BoxedImage) -> dict[str, Any]:
    """An image as commands and the API tell it."""
    boxes = {name: [asdict(each) for each in getattr(image, name)] for name in ("truths", "found")}
    told = {"index": image.place, "image": image.name}
    return {**told, "missed": image.missed, "false": image.false, **boxes}


def points_of(recall: np.ndarray, precision: np.ndarray) -> tuple[tuple[float, float], ...]:
    """Some points of a curve, the first and the last among them; none without objects."""
    if not len(recall) or np.isnan(recall[0]):
        return ()
    chosen = np.unique(np.linspace(0, len(recall) - 1, _POINTS).round().astype(int))
    return tuple(zip(recall[chosen].tolist(), precision[chosen].tolist(), strict=True))


def write_boxes(folder: Path, report: DetectionReport, images: Path, iteration: int) -> About:
    """Keep the boxes of a report, and how they compare, in a folder."""
    write_names(folder, [report.key_of(place) for place in range(report.images)])
    found, truths, voc = report.found, report.truths, report.voc
    np.savez(
        folder / _BOXES,
        labels=np.array(report.labels, np.int64),
        threshold=report.threshold,
        difficult=report.difficult,
        found_images=found.images,
        found_labels=found.labels,
        found_scores=found.scores,
        found_corners=found.corners,
        true_images=truths.images,
        true_labels=truths.labels,
        true_corners=truths.corners,
        true_difficult=truths.difficult,
        true_crowd=truths.crowd,
        counted=voc.counted,
        right=voc.right,
        object_of=voc.object_of,
        sizes=np.empty(0) if report.sizes is None else report.sizes,
        coco=report.coco.by_class,
        coco_sizes=np.array(list(report.coco.by_size), np.str_),
        coco_by_size=np.array(list(report.coco.by_size.values()), np.float64),
    )
    about = About(
        iteration, report.output, images, classes=report.names, count=report.images, form="boxes"
    )
    about.write(folder)
    return about


def _report(about: About, names: Sequence[str], stored: dict[str, np.ndarray]) -> DetectionReport:
    found = FoundBoxes(*(stored[f"found_{x}"] for x in ("images", "labels", "scores", "corners")))
    truths = TrueBoxes(
        *(stored[f"true_{x}"] for x in ("images", "labels", "corners", "difficult", "crowd"))
    )
    voc = VocResult(found, truths, stored["counted"], stored["right"], stored["object_of"])
    by_size = zip(stored["coco_sizes"].tolist(), stored["coco_by_size"].tolist(), strict=True)
    return DetectionReport(
        about.output,
        about.classes,
        tuple(stored["labels"].tolist()),
        found,
        truths,
        about.count,
        float(stored["threshold"]),
        bool(stored["difficult"]),
        stored["sizes"] if len(stored["sizes"]) else None,
        tuple(names),
        Compared(voc, CocoResult(stored["coco"], dict(by_size))),
    )
