"""Average precision of a detector in the test passes of a training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from protonet.graph.names import Value
from protonet.graph.net import Net
from protonet.graph.plan import Plan, Step
from protonet.layers.annotated_data import AnnotatedData
from protonet.layers.detection import DetectionOutput
from protonet.layers.evaluation import DetectionEvaluate
from protonet.layers.yolo import YoloOutput
from protonet.solvers.evaluation import ApVersion
from protonet.train.events import COCO, Output
from protonet.train.metrics.boxes import FOUND_COLUMNS, TRUE_COLUMNS, FoundBoxes, TrueBoxes
from protonet.train.metrics.coco import coco
from protonet.train.metrics.precision import Curve, mean
from protonet.train.metrics.voc import voc

_ROW = 5
"""Columns of a row of DetectionEvaluate."""


@dataclass(frozen=True)
class Detections:
    """Where a net has the boxes that it found, and the true ones.

    Attributes:
        output: the name of the output whose mean says nothing: average precision takes its place.
        found: rows of DetectionOutput.
        truths: rows of AnnotatedData.
        labels: the classes, without the background.
        threshold: the overlap of a box with its object.
        difficult: whether difficult objects count.
        step: the number of the step of DetectionEvaluate, if there is one.
    """

    output: str
    found: Value
    truths: Value
    labels: tuple[int, ...]
    threshold: float = 0.5
    difficult: bool = False
    step: int | None = None


def detections_of(plan: Plan) -> list[Detections]:
    """Those of the net's DetectionEvaluate layers; without one, of an output of found boxes in a
    net that has the boxes of its data.
    """
    found = [_evaluated(at, step) for at, step in enumerate(plan.steps) if _evaluates(step)]
    if found:
        return found
    data = [step for step in plan.steps if isinstance(step.layer, AnnotatedData)]
    if len(data) != 1 or len(data[0].tops) < 2 or data[0].tops[1].shape[-1:] != (TRUE_COLUMNS,):
        return []
    truths = data[0].tops[1]
    return [
        Detections(step.tops[0].name, step.tops[0], truths, labels_of(step.layer))
        for step in plan.steps
        if finds_boxes(step) and step.tops[0] in plan.outputs
    ]


def finds_boxes(step: Step) -> bool:
    """Whether a step's top are rows of boxes that were found."""
    if not isinstance(step.layer, DetectionOutput | YoloOutput):
        return False
    return step.tops[0].shape[-1:] == (FOUND_COLUMNS,)


def labels_of(layer: object) -> tuple[int, ...]:
    """The classes of the boxes that a layer finds, without the background."""
    if isinstance(layer, DetectionOutput):
        return tuple(label for label in range(layer.classes) if label != layer.background)
    assert isinstance(layer, YoloOutput), "of finds_boxes"
    return tuple(range(1, layer.classes + 1))


def _evaluates(step: Step) -> bool:
    return isinstance(step.layer, DetectionEvaluate)


def _evaluated(at: int, step: Step) -> Detections:
    layer = step.layer
    assert isinstance(layer, DetectionEvaluate)
    return Detections(
        step.tops[0].name,
        step.bottoms[0],
        step.bottoms[1],
        tuple(layer.labels),
        layer.threshold,
        layer.spec.detection_evaluate_param.evaluate_difficult_gt,
        at,
    )


def images_of(net: Net, found: np.ndarray, truths: np.ndarray) -> int:
    """The number of images of a pass: of the data layer, or else as far as boxes count."""
    for step in net.plan.steps:
        if isinstance(step.layer, AnnotatedData):
            return step.layer.batch_size
    most = max((float(rows[:, 0].max(initial=-1)) for rows in (found, truths)), default=-1)
    return int(most) + 1


class DetectionMeter:
    """Average precision over the passes of a test.

    The output of the boxes gets the mean over classes in the form of the solver's ``ap_version``;
    another one, named after it, the mean over COCO's overlaps from 0.5 to 0.95.

    Args:
        at: which of ``detections_of``.
        output: the name of the output.
        version: of average precision.
        by_class: whether each class is an output too.
    """

    def __init__(self, at: int, output: str, version: ApVersion, *, by_class: bool) -> None:
        self._at, self.output, self._version, self._by_class = at, output, version, by_class
        self._begin()

    def _begin(self) -> None:
        self._boxes = BoxCollector()
        self._rows: list[np.ndarray] = []
        self._detections: Detections | None = None

    def take(self, net: Net) -> None:
        """Count the last forward pass."""
        detections = self._detections = detections_of(net.plan)[self._at]
        self._boxes.take(net, detections)
        if detections.step is not None:
            rows = net.data_of(net.plan.steps[detections.step].tops[0])
            self._rows.append(np.array(net.device.get(rows), np.float64).reshape(-1, _ROW))

    def counts(self) -> BoxCounts | None:
        """The boxes of all passes; begins anew."""
        detections, boxes, rows = self._detections, self._boxes, self._rows
        self._begin()
        if detections is None:
            return None
        every = np.concatenate(rows) if rows else None
        settings = (detections.labels, detections.threshold, detections.difficult)
        return BoxCounts(*settings, boxes.images, *boxes.tables(), every)

    def outputs(self, counts: Sequence[BoxCounts | None]) -> list[Output]:
        """The figures."""
        known = [each for each in counts if each is not None]
        if not known:
            return []
        of = BoxCounts.joined(known)
        if of.rows is not None:
            curves = curves_of_rows(of.rows, of.labels)
        else:
            result = voc(of.found, of.truths, of.threshold, difficult=of.difficult)
            curves = [result.curve(label) for label in of.labels]
        each = [curve.average_precision(self._version) for curve in curves]
        outputs = [
            Output(self.output, mean(each)),
            Output(self.output + COCO, coco(of.found.clipped(), of.truths, of.labels).mean_ap),
        ]
        if self._by_class:
            outputs += [
                Output(f"{self.output}/class{label}", value)
                for label, value in zip(of.labels, each, strict=True)
            ]
        return outputs


@dataclass(frozen=True)
class BoxCounts:
    """The boxes of some passes, and how they are compared.

    Attributes:
        labels, threshold, difficult: of ``Detections``.
        images: of all passes.
        found, truths: all boxes, in fractions of the images.
        rows: of DetectionEvaluate; None without one.
    """

    labels: tuple[int, ...]
    threshold: float
    difficult: bool
    images: int
    found: FoundBoxes
    truths: TrueBoxes
    rows: np.ndarray | None

    @staticmethod
    def joined(parts: Sequence[BoxCounts]) -> BoxCounts:
        """Those of all passes of several parts, in their order."""
        first, found, truths = 0, [], []
        for each in parts:
            found.append(replace(each.found, images=each.found.images + first))
            truths.append(replace(each.truths, images=each.truths.images + first))
            first += each.images
        rows = [each.rows for each in parts if each.rows is not None]
        return replace(
            parts[0],
            images=first,
            found=FoundBoxes.joined(found),
            truths=TrueBoxes.joined(truths),
            rows=np.concatenate(rows) if rows else None,
        )


class BoxCollector:
    """Collects the boxes of a net, pass by pass; images are counted over all passes."""

    def __init__(self) -> None:
        self._found: list[FoundBoxes] = []
        self._truths: list[TrueBoxes] = []
        self.images = 0

    def take(self, net: Net, detections: Detections) -> None:
        """Collect from the last forward pass."""
        found, truths = (
            np.array(net.device.get(net.data_of(value)), np.float64).reshape(-1, columns)
            for value, columns in (
                (detections.found, FOUND_COLUMNS),
                (detections.truths, TRUE_COLUMNS),
            )
        )
        self._found.append(FoundBoxes.of_rows(found, self.images))
        self._truths.append(TrueBoxes.of_rows(truths, self.images))
        self.images += images_of(net, found, truths)

    def tables(self) -> tuple[FoundBoxes, TrueBoxes]:
        """All boxes, in fractions of the images."""
        return FoundBoxes.joined(self._found), TrueBoxes.joined(self._truths)


def curves_of_rows(rows: np.ndarray, labels: Sequence[int]) -> list[Curve]:
    """Precision over recall of each class, from the rows of DetectionEvaluate of several passes,
    as TestDetection of the SSD fork reads them (src/caffe/solver.cpp).
    """
    heads, boxes = rows[rows[:, 0] < 0], rows[rows[:, 0] >= 0]
    boxes = boxes[boxes[:, 3:].any(axis=1)]  # those on difficult objects are neither
    curves = []
    for label in labels:
        own = boxes[boxes[:, 1] == label]
        objects = heads[heads[:, 1] == label, 2]
        curves.append(Curve.of(own[:, 2], own[:, 3] > 0, int(objects.clip(0).sum())))
    return curves
