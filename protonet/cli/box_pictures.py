"""The boxes that ``protonet infer`` prints, and the pictures that it writes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from protonet.cli.segment_pictures import free_name

if TYPE_CHECKING:
    from protonet.jobs.detection.detector import Detection, Detector
    from protonet.jobs.inference.predictor import Prediction


class BoxPictures:
    """Answers of a net that finds boxes.

    Args:
        detector: the net.
        folder: where pictures are written; None for none.
        threshold: the least score of a box.
    """

    def __init__(self, detector: Detector, folder: Path | None, threshold: float) -> None:
        self._detector, self._folder, self._threshold = detector, folder, threshold
        self._names: set[str] = set()
        self.outputs = detector.outputs

    def print(self, prediction: Prediction) -> None:
        """Score, class and corners of each box, and the name of the picture."""
        found = self._found(prediction)
        boxes = "1 box" if len(found) == 1 else f"{len(found)} boxes"
        least = f"with a score of {self._threshold:g} or more"
        click.echo(f"{prediction.image}: {', '.join(self.outputs)}, {boxes} {least}")
        for each in found:
            corners = " ".join(f"{value:7.1f}" for value in each.box)
            click.echo(f"  {each.score:6.4f}  {corners}  {each.name}")
        for path in self._written(prediction, found):
            click.echo(f"  {path}")

    def as_json(self, prediction: Prediction) -> dict[str, Any]:
        """The boxes, the size of the image, and the picture."""
        from protonet.jobs.detection.detector import as_json

        found = self._found(prediction)
        height, width = prediction.size
        boxes = [as_json(each) for each in found]
        pictures = [str(path) for path in self._written(prediction, found)]
        told = {"width": width, "height": height, "detections": boxes}
        return {**told, **({"pictures": pictures} if pictures else {})}

    def _found(self, prediction: Prediction) -> tuple[Detection, ...]:
        return self._detector.detections(prediction).above(self._threshold)

    def _written(self, prediction: Prediction, found: tuple[Detection, ...]) -> list[Path]:
        """Write the image with its boxes."""
        from protonet.formats.atomic import write_atomic
        from protonet.jobs.detection.pictures import draw_boxes

        if self._folder is None:
            return []
        path = self._folder / f"{free_name(self._names, prediction.image.stem)}_boxes.png"
        write_atomic(path, draw_boxes(prediction.image, found))
        return [path]
