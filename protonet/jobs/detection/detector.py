"""The objects that a detector finds in image files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from protonet.errors import UsageError
from protonet.jobs.inference.deployed import deploy_net
from protonet.jobs.inference.predictor import ImagePredictor, Prediction
from protonet.train.metrics.boxes import FOUND_COLUMNS, FoundBoxes

_FINDERS = frozenset({"DetectionOutput", "YoloDetectionOutput", "Yolov3DetectionOutput"})
"""Types of layers whose top are rows of boxes."""
_GROUPER, _GROUP_COLUMNS = "ClusterDetections", 5
"""DetectNet's Python layer, and the columns of its rows: corners in pixels, confidence."""
THRESHOLD = 0.5
"""The score from which on boxes are told, if nothing else is asked for."""


@dataclass(frozen=True)
class Detection:
    """An object that was found.

    ``box`` is left, top, right, bottom in pixels of the image file; right and bottom are behind
    the last pixel.
    """

    label: int
    name: str
    score: float
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class ImageDetections:
    """The objects found in an image of ``height`` and ``width``, by descending score."""

    image: Path
    height: int
    width: int
    found: tuple[Detection, ...]

    def above(self, threshold: float) -> tuple[Detection, ...]:
        """Those with this score or a higher one."""
        return tuple(each for each in self.found if each.score >= threshold)


class Detector:
    """Reads boxes from the predictions of a net: of rows of DetectionOutput, or of the boxes that
    DetectNet groups, in an output for each class.

    DetectNet tells the logarithm of the number n of boxes that were grouped; the score is 1 - 1/n.

    Args:
        predictor: of the net.

    Raises:
        UsageError: for a net that finds no boxes.
    """

    def __init__(self, predictor: ImagePredictor) -> None:
        self.outputs = detection_outputs(predictor)
        if not self.outputs:
            raise UsageError(
                f"{predictor.source.name}: finds no boxes; expected a net that ends in "
                f"{', '.join(sorted(_FINDERS))}, or in DetectNet's ClusterDetections"
            )
        self.predictor = predictor
        self.groups = predictor.outputs[self.outputs[0]][-1] == _GROUP_COLUMNS

    def boxes(self, outputs: Mapping[str, np.ndarray], image: int = 0) -> FoundBoxes:
        """The boxes of the outputs for one image, in fractions of what the net sees."""
        if not self.groups:
            (name,) = self.outputs
            return FoundBoxes.of_rows(outputs[name], image)
        _, height, width = self.predictor.transformer.output_shape
        rows = [
            np.insert(group / [width, height, width, height, 1], 0, label, axis=1)
            for label, name in enumerate(self.outputs, 1)
            for group in (outputs[name].reshape(-1, _GROUP_COLUMNS).astype(np.float64),)
        ]
        table = np.concatenate(rows)
        table = table[(table[:, 3] > table[:, 1]) & (table[:, 4] > table[:, 2])]
        scores = 1 - np.exp(-table[:, 5])
        return FoundBoxes(
            np.full(len(table), image), table[:, 0].astype(np.int64), scores, table[:, 1:5]
        )

    def detections(self, prediction: Prediction) -> ImageDetections:
        """The objects of a prediction, in pixels of its image."""
        height, width = prediction.size
        boxes = self.boxes(prediction.outputs)
        window = self.predictor.window(prediction.size)
        start, extent = window[:2], window[2:] - window[:2]
        corners = boxes.corners * np.tile(extent, 2) + np.tile(start, 2)
        corners = np.clip(corners, 0, 1) * [width, height, width, height]
        order = np.argsort(-boxes.scores, kind="stable").tolist()
        names = self.predictor.class_names
        return ImageDetections(
            prediction.image,
            height,
            width,
            tuple(
                Detection(
                    int(boxes.labels[at]),
                    class_name(names, int(boxes.labels[at])),
                    float(boxes.scores[at]),
                    _corners(corners[at]),
                )
                for at in order
            ),
        )


def as_json(each: Detection) -> dict[str, Any]:
    """A box as ``infer --json`` and the API tell it."""
    return {"class": each.name, "label": each.label, "score": each.score, "box": list(each.box)}


def class_name(names: Sequence[str] | None, label: int) -> str:
    """The name of a class, or its number."""
    name = names[label] if names is not None and 0 <= label < len(names) else ""
    return name or f"class {label}"


def detection_outputs(predictor: ImagePredictor) -> tuple[str, ...]:
    """The outputs of a net that have the boxes it found; none for another net."""
    columns = {shape[-1] for shape in predictor.outputs.values() if shape}
    if not columns & {FOUND_COLUMNS, _GROUP_COLUMNS}:
        return ()
    definition, _ = deploy_net(predictor.source)
    read = {bottom for layer in definition.net.layer for bottom in layer.bottom}
    for layer in reversed(definition.net.layer):
        if read.intersection(layer.top):
            continue
        if layer.type in _FINDERS and not layer.detection_output_param.use_polygon:
            return (str(layer.top[0]),)
        if layer.type == "Python" and layer.python_param.layer == _GROUPER:
            return tuple(layer.top)
    return ()


def _corners(row: np.ndarray) -> tuple[float, float, float, float]:
    left, top, right, bottom = (float(value) for value in row)
    return left, top, right, bottom
