"""What a trained detector says of an image."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from protonet.jobs.detection.detector import Detection, Detector
from protonet.jobs.detection.pictures import color_of
from protonet.jobs.evaluation.segmenter import original_image
from protonet.jobs.inference.trained_run import Predictor
from protonet.jobs.run.directory import RunDirectory
from protonet.web.results.image import small_picture


@dataclass(frozen=True)
class DetectedImage:
    """The objects in an image of ``width`` and ``height``, by descending score; boxes are left,
    top, right, bottom in its pixels. ``colors`` are those of the classes by number; ``seen`` is the
    image, smaller where it is large.
    """

    snapshot: int
    width: int
    height: int
    detections: tuple[Detection, ...]
    colors: dict[int, str]
    note: str
    seen: bytes = field(repr=False)


def detect_image(run: RunDirectory, image: Path, snapshot: str = "last") -> DetectedImage:
    """The objects in an image file.

    Raises:
        UsageError: for a run without such a snapshot, or whose net finds no boxes.
        DataError: for a file that is absent, no image, or damaged.
    """
    with Predictor(run, snapshot) as predictor:
        detector = Detector(predictor)
        (prediction,) = predictor.predict([image])
        found = detector.detections(prediction)
        return DetectedImage(
            predictor.iteration,
            found.width,
            found.height,
            found.found,
            {each.label: color_of(each.label) for each in found.found},
            prediction.note,
            small_picture(original_image(image)),
        )
