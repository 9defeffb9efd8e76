"""How well a net tells the classes of pixels: counts of pixels by true and predicted class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from protonet.blob import Array
from protonet.graph.net import Net
from protonet.graph.plan import Plan, Step
from protonet.layers.softmax import SoftmaxWithLoss
from protonet.train.events import MEAN_IOU, PIXEL_ACCURACY, Output


@dataclass(frozen=True)
class PixelCounts:
    """Counts of pixels.

    Attributes:
        confusion: by (true class, predicted class), int64.
        ignored: pixels that have no class.
    """

    confusion: np.ndarray
    ignored: int = 0

    @staticmethod
    def none(classes: int) -> PixelCounts:
        """No pixel yet."""
        return PixelCounts(np.zeros((classes, classes), np.int64))

    @staticmethod
    def of(
        truth: np.ndarray, predicted: np.ndarray, classes: int, ignore: int | None = None
    ) -> PixelCounts:
        """The counts of two maps of equal shape; ``ignore`` in ``truth`` are ignored pixels."""
        counts = count_pixels(np, truth.ravel()[None], predicted.ravel()[None], classes, ignore)[0]
        return PixelCounts(counts[:-1].reshape(classes, classes), int(counts[-1]))

    def __add__(self, other: PixelCounts) -> PixelCounts:
        return PixelCounts(self.confusion + other.confusion, self.ignored + other.ignored)

    @property
    def pixels(self) -> np.ndarray:
        """Of each true class."""
        return np.asarray(self.confusion.sum(axis=1))

    @property
    def accuracy(self) -> float:
        """The share of all pixels that were told right; NaN for no pixel."""
        return _ratio(float(np.trace(self.confusion)), float(self.confusion.sum()))

    @property
    def class_accuracies(self) -> np.ndarray:
        """The share of each true class that was told right; NaN for a class without pixels."""
        return _ratios(np.diag(self.confusion), self.pixels)

    @property
    def precisions(self) -> np.ndarray:
        """The share of the pixels told to be of a class that are; NaN for none."""
        return _ratios(np.diag(self.confusion), self.confusion.sum(axis=0))

    @property
    def ious(self) -> np.ndarray:
        """For each class the pixels that are and were told to be of it, as a share of those that
        are or were; NaN for a class of neither.
        """
        right = np.diag(self.confusion)
        either = self.confusion.sum(axis=0) + self.confusion.sum(axis=1) - right
        return _ratios(right, either)

    @property
    def mean_iou(self) -> float:
        """The mean of ``ious`` over the classes that have one (Long et al., CVPR 2015)."""
        return _mean(self.ious)

    @property
    def mean_accuracy(self) -> float:
        """The mean of ``class_accuracies`` over the classes that have pixels."""
        return _mean(self.class_accuracies)

    @property
    def weighted_iou(self) -> float:
        """The mean of ``ious`` weighted by the pixels of each class."""
        pixels = self.pixels
        shares = np.nan_to_num(self.ious) * pixels
        return _ratio(float(shares.sum()), float(pixels.sum()))


def count_pixels(
    xp: Any, truth: Array, predicted: Array, classes: int, ignore: int | None
) -> Array:
    """For each row (image) of two maps, the pixels by true class times ``classes`` plus predicted
    class; then those that have no true class, being ``ignore`` or no class's number.
    """
    images = len(truth)
    truth = truth.reshape(images, -1).astype(np.int64)
    counted = (truth >= 0) & (truth < classes)
    if ignore is not None:
        counted &= truth != ignore
    rest, width = classes * classes, classes * classes + 1
    places = xp.where(counted, truth * classes + predicted.reshape(images, -1), rest)
    places = places + width * xp.arange(images)[:, None]
    counts: Array = xp.bincount(places.ravel(), minlength=width * images).reshape(images, width)
    return counts


def segmentation_loss(plan: Plan) -> Step | None:
    """The last step of SoftmaxWithLoss over maps: scores of N x C x H x W, and labels that come
    from a data layer, if through layers that resize or crop them. Those before it are auxiliary.
    """
    found = [step for step in plan.steps if _is_over_maps(plan, step)]
    return found[-1] if found else None


def _is_over_maps(plan: Plan, step: Step) -> bool:
    if not isinstance(step.layer, SoftmaxWithLoss):
        return False
    shape, label = step.bottoms[0].shape, step.bottoms[1]
    if len(shape) != 4 or step.layer.axis_of(shape) != 1 or shape[2] * shape[3] == 1:
        return False
    producer = plan.steps[label.producer]
    while producer.bottoms and producer.type in _KEEP_LABELS:
        producer = plan.steps[producer.bottoms[0].producer]
    return not producer.bottoms


_KEEP_LABELS = frozenset(
    {"Crop", "Interp", "Pooling", "ResizeBilinear", "ResizeNearestNeighbor", "Slice", "Split"}
)
"""Layers that labels of pixels go through."""


def count_pass(net: Net, step: Step) -> tuple[np.ndarray, int]:
    """The counts of each image of the last pass, as of ``count_pixels``, and the classes."""
    assert isinstance(step.layer, SoftmaxWithLoss), "of segmentation_loss"
    xp, scores, labels = net.device.xp, *(net.data_of(value) for value in step.bottoms[:2])
    if scores.dtype != np.float32:  # a GPU's library does not compute with all types of blobs
        xp = np
        scores, labels = (np.array(net.device.get(x), np.float32) for x in (scores, labels))
    predicted = scores.argmax(axis=1)
    truth, classes = labels.reshape(predicted.shape), scores.shape[1]
    counts = count_pixels(xp, truth, predicted, classes, step.layer.ignore)
    return np.asarray(counts if xp is np else net.device.get(counts)), classes


@dataclass
class SegmentationMeter:
    """Mean IoU and accuracy of the pixels of a net's segmentation, over the passes of a test."""

    output = ""
    _counts: PixelCounts | None = field(default=None, init=False)

    def take(self, net: Net) -> None:
        """Count the last forward pass."""
        step = segmentation_loss(net.plan)
        assert step is not None, "the net has one, whatever its batch"
        counts, classes = count_pass(net, step)
        total = counts.sum(axis=0)
        taken = PixelCounts(total[:-1].reshape(classes, classes), int(total[-1]))
        self._counts = taken if self._counts is None else self._counts + taken

    def counts(self) -> PixelCounts | None:
        """What was counted; begins anew."""
        counts, self._counts = self._counts, None
        return counts

    def outputs(self, counts: Sequence[PixelCounts | None]) -> list[Output]:
        """Both figures."""
        known = [each for each in counts if each is not None]
        if not known:
            return []
        total = sum(known[1:], known[0])
        return [Output(MEAN_IOU, total.mean_iou), Output(PIXEL_ACCURACY, total.accuracy)]


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def _ratios(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    known = whole > 0
    return np.where(known, part / np.where(known, whole, 1), np.nan)


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
