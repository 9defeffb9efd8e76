"""Evaluation of a detector: average precision by class, curves, the images with most mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from protonet.data.annotate import read_label_map
from protonet.formats.pictures import new_figure, picture_kind, write_picture
from protonet.graph.net import Net
from protonet.graph.plan import Plan
from protonet.jobs.definitions.boxes import class_names
from protonet.layers.annotated_data import AnnotatedData
from protonet.layers.evaluation import DetectionEvaluate
from protonet.train.metrics.boxes import FoundBoxes, TrueBoxes
from protonet.train.metrics.coco import CocoResult, coco
from protonet.train.metrics.detection import BoxCollector, Detections, detections_of
from protonet.train.metrics.precision import Curve, mean
from protonet.train.metrics.voc import VocResult, voc

SCORE = 0.5
"""The score from which on a box counts, where shares and mistakes are told."""
_FORMATS = ("png", "svg", "pdf")
_LEGEND = 24
"""Classes up to which a picture names each curve."""


@dataclass(frozen=True)
class ClassFigures:
    """How well a class is found. Figures are NaN for a class without objects.

    Attributes:
        label, name: of the class.
        objects: how many there are to find.
        eleven_points, area, integral: average precision in the forms of VOC 2007, of VOC since
            2010, and of the SSD fork's Integral.
        coco, coco50, coco75: COCO's average precision over overlaps from 0.5 to 0.95, and at two.
        right, wrong: boxes with the score or a higher one that are true and false positives.
    """

    label: int
    name: str
    objects: int
    eleven_points: float
    area: float
    integral: float
    coco: float
    coco50: float
    coco75: float
    right: int
    wrong: int

    @property
    def precision(self) -> float:
        """The share of true positives among the boxes with the score; NaN for no box."""
        count = self.right + self.wrong
        return self.right / count if count else float("nan")

    @property
    def recall(self) -> float:
        """The share of the objects that boxes with the score found."""
        return self.right / self.objects if self.objects else float("nan")


@dataclass(frozen=True)
class WorstImage:
    """An image with mistakes: its number in the data, its key, the objects that were missed and
    the boxes that are false alarms.
    """

    image: int
    key: str
    missed: int
    false: int


@dataclass(frozen=True)
class Compared:
    """The boxes of a report, compared at VOC's one overlap and at COCO's."""

    voc: VocResult
    coco: CocoResult


@dataclass(frozen=True)
class DetectionReport:
    """The boxes that a net found in a data set, and the true ones.

    Attributes:
        output: the name of the blob that was evaluated.
        names: the class names by number, the background included.
        labels: the numbers of the classes.
        found, truths: in fractions of the images.
        images: how many there are.
        threshold: the overlap at which VOC's forms count.
        difficult: whether difficult objects count there.
        sizes: height and width of each image, (I, 2), if known: boxes are then compared in whole
            pixels, as the development kit does.
        keys: of the records, by image, if known.
        compared: what was computed of these boxes before; None to compute it.
    """

    output: str
    names: tuple[str, ...]
    labels: tuple[int, ...]
    found: FoundBoxes = field(repr=False)
    truths: TrueBoxes = field(repr=False)
    images: int
    threshold: float = 0.5
    difficult: bool = False
    sizes: np.ndarray | None = field(default=None, repr=False)
    keys: tuple[str, ...] = field(default=(), repr=False)
    compared: Compared | None = field(default=None, repr=False)

    def name_of(self, label: int) -> str:
        """The name of a class, or its number."""
        name = self.names[label] if 0 <= label < len(self.names) else ""
        return name or f"class {label}"

    def key_of(self, image: int) -> str:
        """The key of an image's record, or its number."""
        return self.keys[image % len(self.keys)] if self.keys else str(image)

    @cached_property
    def voc(self) -> VocResult:
        """Which boxes found which objects, at one overlap."""
        if self.compared is not None:
            return self.compared.voc
        found, truths = self.found, self.truths
        if self.sizes is not None:
            found = replace(found, corners=self._inclusive(found))
            truths = replace(truths, corners=self._inclusive(truths))
        return voc(found, truths, self.threshold, difficult=self.difficult)

    @cached_property
    def coco(self) -> CocoResult:
        """COCO's figures; by size of the objects, if the sizes of the images are known."""
        if self.compared is not None:
            return self.compared.coco
        found, truths = self.found, self.truths
        if self.sizes is None:
            return coco(found.clipped(), truths, self.labels)
        found = replace(found, corners=self.pixels(found))
        truths = replace(truths, corners=self.pixels(truths))
        return coco(found, truths, self.labels, by_size=True)

    def pixels(self, boxes: FoundBoxes | TrueBoxes) -> np.ndarray:
        """The corners of boxes in pixels, clipped to their images."""
        assert self.sizes is not None
        extent = self.sizes[boxes.images % len(self.sizes)][:, [1, 0, 1, 0]]
        return np.asarray(np.clip(boxes.corners, 0, 1) * extent)

    def _inclusive(self, boxes: FoundBoxes | TrueBoxes) -> np.ndarray:
        """Pixels whose ends belong to the box, as in VOC's kit."""
        return np.asarray(self.pixels(boxes) + np.array([0, 0, 1, 1]))

    def curve(self, label: int) -> Curve:
        """Precision over recall of a class, at one overlap."""
        return self.curves[self.labels.index(label)]

    @cached_property
    def curves(self) -> tuple[Curve, ...]:
        """Of all classes."""
        return tuple(self.voc.curve(label) for label in self.labels)

    def classes(self, score: float = SCORE) -> list[ClassFigures]:
        """The figures of each class; shares count boxes with this score or a higher one."""
        figures = []
        for place, (label, curve) in enumerate(zip(self.labels, self.curves, strict=True)):
            each = self.coco.by_class[place]
            right, wrong = curve.at(score)
            figures.append(
                ClassFigures(
                    label,
                    self.name_of(label),
                    curve.objects,
                    curve.average_precision("11point"),
                    curve.average_precision("MaxIntegral"),
                    curve.average_precision("Integral"),
                    float(each.mean()),
                    float(each[0]),
                    float(each[5]),
                    right,
                    wrong,
                )
            )
        return figures

    def mean(self, score: float = SCORE) -> ClassFigures:
        """The means of average precisions over classes that have objects, and all counts."""
        every = self.classes(score)
        return ClassFigures(
            -1,
            "all",
            sum(each.objects for each in every),
            mean([each.eleven_points for each in every]),
            mean([each.area for each in every]),
            mean([each.integral for each in every]),
            self.coco.mean_ap,
            self.coco.ap50,
            self.coco.ap75,
            sum(each.right for each in every),
            sum(each.wrong for each in every),
        )

    def mistakes(self, score: float = SCORE) -> tuple[np.ndarray, np.ndarray]:
        """For each image, the number of objects that were missed and of false alarms."""
        missed, false = (
            np.bincount(images, minlength=self.images)
            for images in (
                self.truths.images[self.voc.missed(score)],
                self.found.images[self.voc.false(score)],
            )
        )
        return missed, false

    def worst(self, count: int, score: float = SCORE) -> list[WorstImage]:
        """The images with most mistakes, misses and false alarms together, in descending order."""
        missed, false = self.mistakes(score)
        return [
            WorstImage(image, self.key_of(image), int(missed[image]), int(false[image]))
            for image in by_mistakes(missed + false)[:count].tolist()
        ]

    def draw(self, path: Path) -> None:
        """Draw precision over recall of each class.

        Raises:
            UsageError: for another file type than .png, .svg, .pdf.
        """
        kind = picture_kind(path, _FORMATS)
        figure = new_figure(6.4, 5.2)
        axes = figure.add_subplot()
        figures = {each.label: each for each in self.classes()}
        for label, curve in zip(self.labels, self.curves, strict=True):
            if not curve.objects:
                continue
            text = f"{self.name_of(label)[:24]}: {figures[label].area:.3f}"
            recall, precision = np.append(0, curve.recall), np.append(1, curve.precision)
            axes.plot(recall, precision, linewidth=1.3, label=text)
        axes.set_xlim(0, 1.01)
        axes.set_ylim(0, 1.02)
        axes.set_xlabel("recall")
        axes.set_ylabel("precision")
        axes.grid(color="#000000", alpha=0.1, linewidth=0.6)
        title = f"mean average precision {self.mean().area:.4f} at an overlap of {self.threshold:g}"
        axes.set_title(title, loc="left", fontsize="medium")
        if 0 < len(axes.lines) <= _LEGEND:
            axes.legend(fontsize="small", edgecolor="none", loc="lower left")
        write_picture(figure, path, kind)


def by_mistakes(mistakes: np.ndarray) -> np.ndarray:
    """The images with mistakes, those with most first."""
    order = np.argsort(-mistakes, kind="stable")
    return np.asarray(order[mistakes[order] > 0])


class DetectionCollector:
    """Collects the boxes of a net's detectors over its passes; images are counted over all."""

    def __init__(self, plan: Plan) -> None:
        self._every = [BoxCollector() for _ in detections_of(plan)]
        self._known = _known_of(plan) if self._every else _Known()
        self._detections: list[Detections] = []

    def take(self, net: Net) -> None:
        """Collect from the last forward pass."""
        if not self._every:
            return
        self._detections = detections_of(net.plan)
        for boxes, detections in zip(self._every, self._detections, strict=True):
            boxes.take(net, detections)

    def reports(self) -> list[DetectionReport]:
        """A report for each detector, on all passes."""
        return [
            DetectionReport(
                detections.output,
                self._known.names,
                detections.labels,
                *boxes.tables(),
                boxes.images,
                detections.threshold,
                detections.difficult,
                self._known.sizes,
                self._known.keys,
            )
            for boxes, detections in zip(self._every, self._detections, strict=False)
        ]


@dataclass(frozen=True)
class _Known:
    """What a net's data layer tells of its images."""

    names: tuple[str, ...] = ()
    sizes: np.ndarray | None = None
    keys: tuple[str, ...] = ()


def _known_of(plan: Plan) -> _Known:
    names: Sequence[str] = ()
    keys: Sequence[bytes] = ()
    sizes = None
    for step in plan.steps:
        layer = step.layer
        if isinstance(layer, AnnotatedData) and layer.database is not None:
            keys = layer.database.keys()
            told = layer.spec.annotated_data_param.label_map_file
            names = class_names(read_label_map(layer.context.find(told))) if told else ()
        if isinstance(layer, DetectionEvaluate):
            sizes = layer.sizes
    return _Known(tuple(names), sizes, tuple(key.decode(errors="replace") for key in keys))
