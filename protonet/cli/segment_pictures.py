"""The classes of pixels that ``protonet infer`` prints, and the pictures that it writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from protonet.cli.answer_pictures import AnswerPictures

if TYPE_CHECKING:
    from protonet.jobs.evaluation.segmenter import Segmentation, Segmenter
    from protonet.jobs.inference.predictor import Prediction


class SegmentPictures(AnswerPictures["Segmentation"]):
    """Answers of a net that tells the classes of pixels.

    Args:
        segmenter: the net.
        folder: where pictures are written; None for none.
        opacity: of the classes over the images.
    """

    def __init__(self, segmenter: Segmenter, folder: Path | None, opacity: float) -> None:
        super().__init__((segmenter.output,), folder)
        self._segmenter, self._opacity = segmenter, opacity

    def found(self, prediction: Prediction) -> Segmentation:
        """The classes of the pixels."""
        return self._segmenter.of(prediction)

    def lines(self, found: Segmentation) -> Iterator[str]:
        """The shares of the classes that are seen."""
        yield "classes of the pixels"
        for each in found.shares():
            if each.share:
                yield f"{each.share:8.2%}  {each.name}"

    def values(self, found: Segmentation) -> dict[str, Any]:
        """The shares of all classes."""
        return {
            "classes": [
                {"index": each.index, "name": each.name, "color": each.color, "share": each.share}
                for each in found.shares()
            ]
        }

    def pictures(self, image: Path, found: Segmentation) -> Mapping[str, bytes]:
        """The map and the overlay in the size of the image."""
        from protonet.jobs.evaluation.segmenter import original_image

        pixels = original_image(image)
        return {
            "labels": found.map_picture(pixels.shape[1:]),
            "overlay": found.overlay(pixels, self._opacity),
        }
