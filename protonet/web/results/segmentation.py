"""What a trained segmentation says: of one image, and of a data set with label pictures."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from protonet.data.datum import encode_image
from protonet.data.label_pictures import label_picture
from protonet.data.resize import resize
from protonet.errors import UsageError
from protonet.jobs.evaluation.segmentation import ClassFigures, PixelPairs
from protonet.jobs.evaluation.segmenter import Segmenter, Share, can_segment, original_image
from protonet.jobs.inference.trained_run import Predictor
from protonet.jobs.run.directory import RunDirectory

_LONGEST = 800
"""Pixels of the longer side of an image that is sent to the browser."""
_WORST = 8
_MISTAKES = 10


@dataclass(frozen=True)
class SegmentedImage:
    """The classes of an image's pixels.

    ``classes`` have their shares, the largest first; ``labels`` is the map as a PNG file with the
    numbers of classes and a palette, in the size of the image; ``seen`` is the image, smaller where
    it is large.
    """

    snapshot: int
    classes: tuple[Share, ...]
    note: str
    seen: bytes = field(repr=False)
    labels: bytes = field(repr=False)


@dataclass(frozen=True)
class WorstImage:
    """An image with its mean IoU and, as PNG files, itself, its true and its predicted classes."""

    name: str
    mean_iou: float
    image: bytes = field(repr=False)
    truth: bytes = field(repr=False)
    predicted: bytes = field(repr=False)


@dataclass(frozen=True)
class Mistake:
    """Pixels of a class that were taken for another, and their share of those of the class."""

    true: str
    predicted: str
    pixels: int
    share: float


@dataclass(frozen=True)
class SegmentedImages:
    """Figures over a data set, as ``protonet test`` prints them.

    ``classes`` have the figures of each class, ``colors`` their colors; ``confusion`` counts
    pixels by (true, predicted) class; ``mistakes`` are the most frequent ones.
    """

    snapshot: int
    count: int
    mean_iou: float
    pixel_accuracy: float
    mean_accuracy: float
    weighted_iou: float
    ignored: int
    classes: tuple[ClassFigures, ...]
    colors: tuple[tuple[int, int, int], ...]
    confusion: tuple[tuple[int, ...], ...]
    mistakes: tuple[Mistake, ...]
    worst: tuple[WorstImage, ...]


def segment_image(run: RunDirectory, image: Path, snapshot: str = "last") -> SegmentedImage:
    """The classes of the pixels of an image file.

    Raises:
        UsageError: for a run without such a snapshot, or whose net predicts no classes of pixels.
        DataError: for a file that is absent, no image, or damaged.
    """
    with Predictor(run, snapshot) as predictor:
        segmenter = _segmenter(run, predictor)
        (prediction,) = predictor.predict([image])
        found = segmenter.of(prediction)
        pixels = original_image(image)
        return SegmentedImage(
            predictor.iteration or 0,
            tuple(found.shares()),
            prediction.note,
            encode_image(_smaller(pixels)),
            found.map_picture(pixels.shape[1:]),
        )


def segment_database(
    run: RunDirectory, images: Path, labels: Path, snapshot: str = "last", most: int = 1000
) -> SegmentedImages:
    """Compare the net's classes with those of the first images of a data set.

    Raises:
        UsageError: as ``segment_image``.
        DataError: for databases that cannot be read, or do not match the net.
    """
    with Predictor(run, snapshot) as predictor:
        segmenter = _segmenter(run, predictor)
        pairs = PixelPairs(segmenter, images, labels)
        report = pairs.report(most)
        counts, table = report.counts, segmenter.table
        classes = report.classes(table.names)
        return SegmentedImages(
            predictor.iteration or 0,
            len(report.ious),
            counts.mean_iou,
            counts.accuracy,
            counts.mean_accuracy,
            counts.weighted_iou,
            counts.ignored,
            tuple(classes),
            tuple(map(tuple, table.palette()[: len(classes)].tolist())),
            tuple(tuple(map(int, row)) for row in counts.confusion),
            tuple(
                Mistake(
                    classes[true].name,
                    classes[said].name,
                    pixels,
                    pixels / max(1, int(counts.pixels[true])),
                )
                for true, said, pixels in report.mistakes(_MISTAKES)
            ),
            _worst(pairs, report.worst(_WORST)),
        )


def _worst(pairs: PixelPairs, worst: list[tuple[int, float]]) -> tuple[WorstImage, ...]:
    table = pairs.segmenter.table
    shown = pairs.shown([item for item, _ in worst])
    return tuple(
        WorstImage(
            each.key,
            iou,
            encode_image(_smaller(each.image)),
            label_picture(each.truth, table),
            label_picture(each.predicted, table),
        )
        for each, (_, iou) in zip(shown, worst, strict=True)
    )


def _segmenter(run: RunDirectory, predictor: Predictor) -> Segmenter:
    if not can_segment(predictor):
        raise UsageError(
            f"{run.path.name}: its net has no output of a score for each class and pixel"
        )
    return Segmenter(predictor, predictor.pixel_classes)


def _smaller(image: np.ndarray) -> np.ndarray:
    """An image of which no side is longer than _LONGEST."""
    scale = _LONGEST / max(image.shape[1:])
    if scale >= 1:
        return np.ascontiguousarray(image)
    height, width = (max(1, round(side * scale)) for side in image.shape[1:])
    return resize(np.ascontiguousarray(image), height, width)
