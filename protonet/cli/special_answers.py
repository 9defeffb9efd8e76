"""Answers of ``protonet infer`` that are no numbers: classes of pixels, boxes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from protonet.cli.answer_pictures import AnswerPictures, make_folder
from protonet.cli.box_pictures import BoxPictures
from protonet.cli.segment_pictures import SegmentPictures

if TYPE_CHECKING:
    from protonet.jobs.inference.predictor import ImagePredictor


def special_answers(
    predictor: ImagePredictor, run: Path, folder: Path | None, opacity: float, threshold: float
) -> AnswerPictures[Any] | None:
    """The answers of a segmentation or a detector; None for another net.

    Raises:
        UsageError: for pictures of another net, or a folder that cannot be made.
    """
    # Maps and boxes have three axes or four: what reads them is not imported for scores.
    if folder is None and all(len(shape) < 3 for shape in predictor.outputs.values()):
        return None
    from protonet.errors import UsageError
    from protonet.jobs.detection.detector import Detector, detection_outputs
    from protonet.jobs.evaluation.segmenter import Segmenter, can_segment

    boxes, segments = bool(detection_outputs(predictor)), can_segment(predictor)
    if folder is not None:
        if not boxes and not segments:
            raise UsageError(
                f"{run}: --picture needs a net that predicts maps of classes, or boxes"
            )
        make_folder(folder, "--picture")
    if boxes:
        return BoxPictures(Detector(predictor), folder, threshold)
    if segments:
        return SegmentPictures(Segmenter(predictor, predictor.pixel_classes), folder, opacity)
    return None
