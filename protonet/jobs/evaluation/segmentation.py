"""Evaluation of segmentation: figures of each class, the confusion of pixels, the worst images."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from protonet.data.database import Database
from protonet.data.datum import decode
from protonet.errors import DataError
from protonet.graph.net import Net
from protonet.jobs.definitions.network import image_positions
from protonet.jobs.evaluation.confusion import Report
from protonet.proto.text import NetDefinition
from protonet.train.metrics.segmentation import PixelCounts, count_pass, segmentation_loss

if TYPE_CHECKING:
    from protonet.jobs.evaluation.segmenter import Segmenter

_BATCH = 16
"""Images that are predicted on at once."""


@dataclass(frozen=True)
class ClassFigures:
    """Figures of one class: its pixels as a share of all that have one, the share of them that
    was told right, the share of those told to be of it that are, and its IoU; NaN where no pixel
    tells.
    """

    name: str
    share: float
    accuracy: float
    precision: float
    iou: float


@dataclass(frozen=True)
class SegmentationReport:
    """Counts over a data set.

    Attributes:
        name: of the loss layer.
        counts: of all images.
        ious: mean IoU of each image, by its place.
        accuracies: pixel accuracy of each image.
    """

    name: str
    counts: PixelCounts
    ious: np.ndarray
    accuracies: np.ndarray

    @staticmethod
    def of(name: str, each: Iterable[PixelCounts], classes: int) -> SegmentationReport:
        """The report on the counts of images, which need not be in memory at once."""
        total = PixelCounts.none(classes)
        ious, accuracies = [], []
        for counts in each:
            total += counts
            ious.append(counts.mean_iou)
            accuracies.append(counts.accuracy)
        return SegmentationReport(name, total, np.array(ious), np.array(accuracies))

    def classes(self, names: Sequence[str] | None = None) -> list[ClassFigures]:
        """The figures of each class; without ``names`` they are called by their numbers."""
        counts = self.counts
        total = max(1, int(counts.pixels.sum()))
        rows = zip(
            counts.pixels / total,
            counts.class_accuracies,
            counts.precisions,
            counts.ious,
            strict=True,
        )
        return [
            ClassFigures(_name(names, number), *map(float, row)) for number, row in enumerate(rows)
        ]

    def mistakes(self, count: int) -> list[tuple[int, int, int]]:
        """What is confused most: true class, predicted class, pixels."""
        return self._report().mistakes(count)

    def worst(self, count: int) -> list[tuple[int, float]]:
        """The images with the lowest mean IoU, in ascending order: place and IoU."""
        order = np.argsort(self.ious, kind="stable")
        known = [int(item) for item in order if not math.isnan(self.ious[item])]
        return [(item, float(self.ious[item])) for item in known[:count]]

    def draw(self, path: Path, names: Sequence[str] | None = None) -> None:
        """Draw the confusion matrix of pixels.

        Raises:
            UsageError: for another file type than .png, .svg, .pdf.
        """
        classes = [_name(names, number) for number in range(len(self.counts.confusion))]
        self._report().draw(path, classes, what="pixels")

    def _report(self) -> Report:
        return Report.of(self.counts.confusion)


class SegmentationCollector:
    """Counts the pixels of a net with a loss over maps, pass by pass."""

    def __init__(self) -> None:
        self._name = ""
        self._counts: list[np.ndarray] = []

    def take(self, net: Net) -> None:
        """Count the last forward pass; nothing for a net of another kind."""
        step = segmentation_loss(net.plan)
        if step is not None:
            self._name = step.name
            self._counts.append(count_pass(net, step)[0])

    def report(self) -> SegmentationReport | None:
        """The report on all passes; None for a net of another kind."""
        if not self._counts:
            return None
        rows = np.concatenate(self._counts)
        classes = math.isqrt(rows.shape[1] - 1)
        each = (PixelCounts(row[:-1].reshape(classes, classes), int(row[-1])) for row in rows)
        return SegmentationReport.of(self._name, each, classes)


@dataclass(frozen=True)
class ShownImage:
    """An image of a data set, by the keys of its records, with its true and predicted classes,
    (height, width).
    """

    key: bytes
    label_key: bytes
    truth: np.ndarray
    predicted: np.ndarray


@dataclass(frozen=True)
class PixelPairs:
    """Paired databases of images and the classes of their pixels, and what predicts on them.

    Raises:
        DataError: by its methods, for records that are damaged or of another size.
    """

    segmenter: Segmenter
    images: Path
    labels: Path

    def counts(self, shown: ShownImage) -> PixelCounts:
        """The counts of an image."""
        classes, ignore = self.segmenter.classes, self.segmenter.table.ignore
        return PixelCounts.of(shown.truth, shown.predicted, classes, ignore)

    def shown(
        self, most: int | None = None, progress: Callable[[int, int], None] = lambda _, __: None
    ) -> Iterator[ShownImage]:
        """The first ``most`` images, or all; ``progress`` is told how many are done, and of how
        many.
        """
        with Database(self.images) as images, Database(self.labels) as labels:
            keys, others = images.keys(), labels.keys()
            if len(keys) != len(others):
                raise DataError(
                    f"{self.labels}: has {len(others)} record(s) for {len(keys)} of {self.images}"
                )
            pairs = list(zip(keys, others, strict=True))[:most]
            for begin in range(0, len(pairs), _BATCH):
                some = pairs[begin : begin + _BATCH]
                found = self.segmenter.of_batch([images.image(key)[0] for key, _ in some])
                for (key, other), predicted in zip(some, found, strict=True):
                    truth = decode(labels.get(other), labels.where(other))
                    if truth.shape != (1, *predicted.shape):
                        sizes = ["x".join(map(str, x.shape)) for x in (truth, predicted[None])]
                        raise DataError(
                            f"{labels.where(other)}: the labels are {sizes[0]}, but the net "
                            f"predicts {sizes[1]}"
                        )
                    yield ShownImage(key, other, truth[0], predicted)
                progress(begin + len(some), len(pairs))


def keys_of_images(definition: NetDefinition) -> Sequence[str]:
    """The keys of the records that the first data layer of images of a net reads; none where it
    has none.
    """
    layers = [layer for layer in definition.net.layer if layer.type == "Data"]
    found = image_positions(layers)
    if not found:
        return ()
    with Database(Path(layers[found[0]].data_param.source)) as images:
        keys = images.keys()
        return [key.decode(errors="replace") for key in keys]


def _name(names: Sequence[str] | None, number: int) -> str:
    return names[number] if names is not None and number < len(names) else f"class {number}"
