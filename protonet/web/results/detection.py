"""What a trained detector says: of one image, and of a data set with boxes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from protonet.data.annotated import read_annotated
from protonet.data.database import Database
from protonet.data.datum import encode_image
from protonet.data.resize import resize
from protonet.errors import UsageError
from protonet.jobs.detection.detector import Detection, Detector
from protonet.jobs.detection.pictures import color_of
from protonet.jobs.evaluation.detection import (
    SCORE,
    ClassFigures,
    DetectionReport,
    predicted_report,
)
from protonet.jobs.evaluation.full_dataset import average_set, opener
from protonet.jobs.evaluation.segmenter import original_image
from protonet.jobs.evaluation.validation import Evaluated, evaluated
from protonet.jobs.inference.trained_run import Predictor
from protonet.jobs.run.directory import RunDirectory

_LONGEST = 800
"""Pixels of the longer side of an image that is sent to the browser."""
_WORST = 8
_POINTS = 200
"""Points of a curve that are sent to the browser."""


@dataclass(frozen=True)
class DetectedImage:
    """The objects in an image of ``width`` and ``height``, by descending score; boxes are left,
    top, right, bottom in its pixels. ``colors`` are those of the classes by number; ``seen`` is the
    image, smaller where it is large.
    """

    snapshot: int
    width: int
    height: int
    detections: tuple[Detection, ...]
    colors: dict[int, str]
    note: str
    seen: bytes = field(repr=False)


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
class WorstImage:
    """An image with mistakes, its true boxes, and the found ones with the score or a higher one."""

    name: str
    missed: int
    false: int
    truths: tuple[PlacedBox, ...]
    found: tuple[PlacedBox, ...]
    image: bytes = field(repr=False)


@dataclass(frozen=True)
class DetectedImages:
    """Figures over a data set, as ``protonet test`` prints them.

    ``overlap`` is that of VOC's forms; shares and mistakes are of boxes with a score of
    ``threshold`` or more. ``mean`` has the means over classes. ``sizes`` are COCO's figures by the
    size of objects, where known. ``curves`` have (recall, precision) of each class.
    """

    snapshot: int
    count: int
    overlap: float
    threshold: float
    mean: ClassFigures
    classes: tuple[ClassFigures, ...]
    colors: dict[int, str]
    sizes: dict[str, float]
    curves: tuple[tuple[tuple[float, float], ...], ...]
    worst: tuple[WorstImage, ...]


def detect_image(run: RunDirectory, image: Path, snapshot: str = "last") -> DetectedImage:
    """The objects in an image file.

    Raises:
        UsageError: for a run without such a snapshot, or whose net finds no boxes.
        DataError: for a file that is absent, no image, or damaged.
    """
    with Predictor(run, snapshot) as predictor:
        detector = Detector(predictor)
        (prediction,) = predictor.predict([image])
        found = detector.detections(prediction)
        return DetectedImage(
            predictor.iteration or 0,
            found.width,
            found.height,
            found.found,
            {each.label: color_of(each.label) for each in found.found},
            prediction.note,
            _picture(original_image(image)),
        )


def detect_database(
    run: RunDirectory,
    images: Path,
    snapshot: str = "last",
    most: int = 1000,
    threshold: float = SCORE,
) -> DetectedImages:
    """Compare the net's boxes with those of the first images of a data set, at least ``most``.

    Raises:
        UsageError: for a run without such a snapshot, or whose net finds no boxes.
        DataError: for a database that cannot be read, or does not match the net.
    """
    with Predictor(run, snapshot) as predictor:
        detector = Detector(predictor)
        if detector.groups:
            report = predicted_report(detector, images, most)
            return _figures(report, predictor.iteration or 0, images, threshold)
    asked = evaluated(run, snapshot, images)
    with Database(images) as stored:
        count = len(stored)
    batches = -(-most // _batch_size(asked))
    found = average_set(
        opener(asked.definition, asked.net_options, None),
        batches,
        lambda *_: None,
        once=count <= most,
    )
    if not found.detectors:
        raise UsageError(f"{run.path.name}: its net finds no boxes to compare with true ones")
    return _figures(found.detectors[0], asked.iteration, images, threshold)


def _figures(
    report: DetectionReport, snapshot: int, images: Path, threshold: float
) -> DetectedImages:
    return DetectedImages(
        snapshot,
        report.images,
        report.threshold,
        threshold,
        report.mean(threshold),
        tuple(report.classes(threshold)),
        {label: color_of(label) for label in report.labels},
        report.coco.by_size,
        tuple(points_of(curve.recall, curve.precision) for curve in report.curves),
        _worst(report, images, threshold),
    )


def points_of(recall: np.ndarray, precision: np.ndarray) -> tuple[tuple[float, float], ...]:
    """Some points of a curve, the first and the last among them; none without objects."""
    if not len(recall) or np.isnan(recall[0]):
        return ()
    chosen = np.unique(np.linspace(0, len(recall) - 1, _POINTS).round().astype(int))
    return tuple(zip(recall[chosen].tolist(), precision[chosen].tolist(), strict=True))


def _batch_size(asked: Evaluated) -> int:
    layers = asked.definition.net.layer
    return max([1, *(int(layer.data_param.batch_size) for layer in layers)])


def _worst(report: DetectionReport, images: Path, threshold: float) -> tuple[WorstImage, ...]:
    found, truths = report.found, report.truths
    missed, false = report.voc.missed(threshold), report.voc.false(threshold)
    shown = found.scores >= threshold
    with Database(images) as stored:
        keys = stored.keys()
        return tuple(
            WorstImage(
                each.key,
                each.missed,
                each.false,
                _placed(report, np.flatnonzero(truths.images == each.image), missed),
                _placed(report, np.flatnonzero(shown & (found.images == each.image)), false,
                        scored=True),
                _picture(read_annotated(stored, keys[each.image % len(keys)]).image),
            )
            for each in report.worst(_WORST, threshold)
        )  # fmt: skip


def _placed(
    report: DetectionReport, places: np.ndarray, mistakes: np.ndarray, *, scored: bool = False
) -> tuple[PlacedBox, ...]:
    boxes = report.found if scored else report.truths
    made = []
    for at in places.tolist():
        left, top, right, bottom = np.clip(boxes.corners[at], 0, 1).tolist()
        label = int(boxes.labels[at])
        score = float(report.found.scores[at]) if scored else None
        made.append(
            PlacedBox(
                label, report.name_of(label), (left, top, right, bottom), score, bool(mistakes[at])
            )
        )
    return tuple(made)


def _picture(image: np.ndarray) -> bytes:
    """An image as a PNG file, of which no side is longer than _LONGEST."""
    pixels = np.ascontiguousarray(image)
    scale = _LONGEST / max(pixels.shape[1:])
    if scale < 1:
        height, width = (max(1, round(side * scale)) for side in pixels.shape[1:])
        pixels = resize(pixels, height, width)
    return encode_image(pixels)
