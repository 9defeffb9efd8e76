"""Find the boxes of all images of a database, and compare them with the true ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from protonet.data.annotated import read_annotated
from protonet.data.database import Database, is_database
from protonet.errors import UsageError
from protonet.jobs.detection.detector import Detector
from protonet.jobs.evaluation.detection import DetectionReport
from protonet.jobs.evaluation.full_dataset import average_set, opener
from protonet.jobs.evaluation.validation import evaluated
from protonet.jobs.run.directory import RunDirectory
from protonet.train.metrics.boxes import FoundBoxes, TrueBoxes

Progress = Callable[[int, int], None]


def check_boxes(images: Path, labels: Path | None) -> None:
    """Refuse anything but a database that has its boxes in its records.

    Raises:
        UsageError: for it.
        DataError: for a database that cannot be read.
    """
    if labels is not None:
        raise UsageError("images with boxes have their labels in their records; omit labels")
    if not is_database(images):
        raise UsageError(f"{images.name}: expected a database of images with boxes")
    with Database(images) as stored:
        if not stored.has_boxes:
            raise UsageError(f"{images.name}: its images have no boxes")


def validated_report(
    run: RunDirectory, iteration: int, images: Path, most: int | None, progress: Progress
) -> DetectionReport:
    """The report of a run's validation net, as ``protonet test`` tells it, on the first ``most``
    images, or all.

    Raises:
        UsageError: for a net without boxes to compare with true ones.
        DataError: for a database that cannot be read, or does not match the net.
    """
    asked = evaluated(run, iteration, images)
    with Database(images) as stored:
        count = len(stored)
    batch = max([1, *(int(each.data_param.batch_size) for each in asked.definition.net.layer)])
    batches = -(-min(count, count if most is None else most) // batch)
    once = batches * batch >= count
    total = count if once else batches * batch
    found = average_set(
        opener(asked.definition, asked.net_options, None),
        batches,
        lambda index, _: progress(min((index + 1) * batch, total), total),
        once=once,
    )
    if not found.detectors:
        raise UsageError(f"{run.path.name}: its net finds no boxes to compare with true ones")
    report = found.detectors[0]
    return report if most is None else _first(report, most)


def _first(report: DetectionReport, most: int) -> DetectionReport:
    """The report on the first images; the net sees full batches."""
    return replace(
        report,
        found=report.found[report.found.images < most],
        truths=report.truths[report.truths.images < most],
        images=min(report.images, most),
    )


def predicted_report(
    detector: Detector, images: Path, most: int | None, progress: Progress
) -> DetectionReport:
    """The report on a net without the data of its validation: it predicts on the first ``most``
    images of a database with boxes, one by one.

    Raises:
        DataError: for a database that cannot be read.
    """
    predictor = detector.predictor
    color, names = predictor.transformer.shape[0] == 3, tuple(predictor.class_names or ())
    found, truths, sizes = [], [], []
    with Database(images) as stored:
        keys = stored.keys()[:most]
        for place, key in enumerate(keys):
            record = read_annotated(stored, key, color=color, boxes=True)
            (outputs,) = predictor.ask([predictor.fitted(record.image)])
            found.append(detector.boxes(outputs, place))
            boxes = record.objects.boxes.astype(np.float64)
            marks = record.objects.marks
            hard = marks[:, 2] != 0
            numbers = np.full(len(boxes), place)
            truths.append(TrueBoxes(numbers, marks[:, 0].astype(np.int64), boxes, hard, hard))
            sizes.append(record.image.shape[1:])
            progress(place + 1, len(keys))
    return DetectionReport(
        ", ".join(detector.outputs),
        names,
        tuple(range(1, max(len(names), 1 + len(detector.outputs)))),
        FoundBoxes.joined(found),
        TrueBoxes.joined(truths),
        len(keys),
        sizes=np.array(sizes, np.float64).reshape(-1, 2),
        keys=tuple(key.decode(errors="replace") for key in keys),
    )
