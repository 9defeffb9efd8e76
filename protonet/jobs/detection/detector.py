"""The objects that a detector finds in image files."""

from __future__ import annotations

from collections.abc import Sequence
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
    """Reads boxes from the predictions of a net.

    Args:
        predictor: of the net.

    Raises:
        UsageError: for a net that finds no boxes.
    """

    def __init__(self, predictor: ImagePredictor) -> None:
        output = detection_output(predictor)
        if output is None:
            raise UsageError(
                f"{predictor.source.name}: finds no boxes; expected a net that ends in "
                f"{', '.join(sorted(_FINDERS))}"
            )
        self.predictor, self.output = predictor, output

    def detections(self, prediction: Prediction) -> ImageDetections:
        """The objects of a prediction, in pixels of its image."""
        height, width = prediction.size
        rows = prediction.outputs[self.output].reshape(-1, FOUND_COLUMNS)
        boxes = FoundBoxes.of_rows(rows)
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


def detection_output(predictor: ImagePredictor) -> str | None:
    """The output of a net that has the boxes it found; None for another net."""
    if not any(shape[-1:] == (FOUND_COLUMNS,) for shape in predictor.outputs.values()):
        return None
    definition, _ = deploy_net(predictor.source)
    read = {bottom for layer in definition.net.layer for bottom in layer.bottom}
    for layer in reversed(definition.net.layer):
        polygons = layer.detection_output_param.use_polygon
        if layer.type in _FINDERS and not polygons and layer.top[0] not in read:
            return str(layer.top[0])
    return None


def _corners(row: np.ndarray) -> tuple[float, float, float, float]:
    left, top, right, bottom = (float(value) for value in row)
    return left, top, right, bottom
