"""The boxes that ``protonet infer`` prints, and the pictures that it writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from protonet.cli.answer_pictures import AnswerPictures

if TYPE_CHECKING:
    from protonet.jobs.detection.detector import Detector, ImageDetections
    from protonet.jobs.inference.predictor import Prediction


class BoxPictures(AnswerPictures["ImageDetections"]):
    """Answers of a net that finds boxes.

    Args:
        detector: the net.
        folder: where pictures are written; None for none.
        threshold: the least score of a box.
    """

    def __init__(self, detector: Detector, folder: Path | None, threshold: float) -> None:
        super().__init__(detector.outputs, folder)
        self._detector, self._threshold = detector, threshold

    def found(self, prediction: Prediction) -> ImageDetections:
        """All boxes."""
        return self._detector.detections(prediction)

    def lines(self, found: ImageDetections) -> Iterator[str]:
        """Score, class and corners of each box with the least score or a higher one."""
        boxes = found.above(self._threshold)
        count = "1 box" if len(boxes) == 1 else f"{len(boxes)} boxes"
        yield f"{count} with a score of {self._threshold:g} or more"
        for each in boxes:
            corners = " ".join(f"{value:7.1f}" for value in each.box)
            yield f"{each.score:6.4f}  {corners}  {each.name}"

    def values(self, found: ImageDetections) -> dict[str, Any]:
        """The boxes, and the size of the image."""
        from protonet.jobs.detection.detector import as_json

        boxes = [as_json(each) for each in found.above(self._threshold)]
        return {"width": found.width, "height": found.height, "detections": boxes}

    def pictures(self, image: Path, found: ImageDetections) -> Mapping[str, bytes]:
        """The image with its boxes."""
        from protonet.jobs.detection.pictures import draw_boxes

        return {"boxes": draw_boxes(image, found.above(self._threshold))}
