"""Results of detectors and segmentations image by image, from the report of a test."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from protonet.cli.image_results import ImageResults, write_confusion, write_images
from protonet.cli.terminal import note
from protonet.errors import UsageError

if TYPE_CHECKING:
    from protonet.jobs.evaluation.detection import DetectionReport
    from protonet.jobs.evaluation.full_dataset import Averages
    from protonet.jobs.evaluation.segmentation import SegmentationReport


def predicts_maps_or_boxes(network: Path | None) -> bool:
    """Whether a run directory is that of a detector or a segmentation."""
    from protonet.jobs.run.directory import RunDirectory

    if network is None or not network.is_dir():
        return False
    run = RunDirectory(network)
    return run.class_table.exists() or run.label_map.exists()


def write_reports(
    found: Averages,
    asked: ImageResults,
    names: Sequence[str] | None,
    keys: Sequence[str],
    threshold: float,
) -> None:
    """Write the files that are asked for.

    Args:
        found: the test.
        asked: the files.
        names: of the classes, None for numbers.
        keys: of the images of a segmentation, if they are known.
        threshold: the score from which on boxes count.

    Raises:
        UsageError: for a net without such results, or a file that cannot be written.
    """
    if asked.confusion is not None:
        _confusion(asked.confusion, found.pixels, names)
    for path, wrong in ((asked.wrong, True), (asked.answers, False)):
        if path is None:
            continue
        if found.detectors:
            images = _boxes(found.detectors[0], threshold, wrong=wrong)
        elif found.pixels is not None:
            images = _pixels(found.pixels, keys, wrong=wrong)
        else:
            raise UsageError(f"{path}: the net's test has neither boxes nor classes of pixels")
        note(f"{path}: {write_images(path, images)} images")


def _confusion(path: Path, report: SegmentationReport | None, names: Sequence[str] | None) -> None:
    from protonet.jobs.evaluation.confusion import Report

    if report is None:
        raise UsageError("--confusion needs classes, of images or of pixels")
    classes = [each.name for each in report.classes(names)]
    write_confusion(path, Report.of(report.counts.confusion), classes, "pixels")
    note(str(path))


def _boxes(report: DetectionReport, threshold: float, *, wrong: bool) -> Iterator[dict[str, Any]]:
    """All images with their boxes, or those with mistakes, most first."""
    import numpy as np

    from protonet.jobs.predictions.boxes import BoxPredictions, boxed_json
    from protonet.jobs.predictions.stored import About

    about = About(0, report.output, Path(), classes=report.names, count=report.images)
    found = BoxPredictions(about, report)
    places = found.worst(threshold) if wrong else np.arange(report.images)
    return map(boxed_json, found.images(places, threshold))


def _pixels(
    report: SegmentationReport, keys: Sequence[str], *, wrong: bool
) -> Iterator[dict[str, Any]]:
    """All images with their figures, or the lowest mean IoU first."""
    from protonet.jobs.predictions.pixels import pixels_json

    count = len(report.ious)
    places = [place for place, _ in report.worst(count)] if wrong else range(count)
    return (
        pixels_json(place, keys[place % len(keys)] if keys else str(place), report)
        for place in places
    )
