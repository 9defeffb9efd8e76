"""What a trained segmentation says of an image."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from protonet.errors import UsageError
from protonet.jobs.evaluation.segmenter import Segmenter, Share, can_segment, original_image
from protonet.jobs.inference.trained_run import Predictor
from protonet.jobs.run.directory import RunDirectory
from protonet.web.results.image import small_picture


@dataclass(frozen=True)
class SegmentedImage:
    """The classes of an image's pixels.

    ``classes`` have their shares, the largest first; ``labels`` is the map as a PNG file with the
    numbers of classes and a palette, in the size of the image; ``seen`` is the image, smaller where
    it is large.
    """

    snapshot: int
    classes: tuple[Share, ...]
    note: str
    seen: bytes = field(repr=False)
    labels: bytes = field(repr=False)


def segment_image(run: RunDirectory, image: Path, snapshot: str = "last") -> SegmentedImage:
    """The classes of the pixels of an image file.

    Raises:
        UsageError: for a run without such a snapshot, or whose net predicts no classes of pixels.
        DataError: for a file that is absent, no image, or damaged.
    """
    with Predictor(run, snapshot) as predictor:
        segmenter = _segmenter(run, predictor)
        (prediction,) = predictor.predict([image])
        found = segmenter.of(prediction)
        pixels = original_image(image)
        return SegmentedImage(
            predictor.iteration,
            tuple(found.shares()),
            prediction.note,
            small_picture(pixels),
            found.map_picture(pixels.shape[1:]),
        )


def _segmenter(run: RunDirectory, predictor: Predictor) -> Segmenter:
    if not can_segment(predictor):
        raise UsageError(
            f"{run.path.name}: its net has no output of a score for each class and pixel"
        )
    return Segmenter(predictor, predictor.pixel_classes)
