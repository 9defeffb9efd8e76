"""Predictions of the classes of pixels: maps, shares and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from protonet.data.class_table import ClassTable, Colour
from protonet.data.datum import decode_image
from protonet.data.interpolation import Interpolation, resample
from protonet.data.label_pictures import label_picture, overlay_picture
from protonet.errors import DataError
from protonet.jobs.inference.predictor import ImagePredictor, Prediction

_MOST_CLASSES = 256


@dataclass(frozen=True)
class Share:
    """A class in an image: its number, name and color, and its share of the pixels."""

    index: int
    name: str
    color: Colour
    share: float


@dataclass(frozen=True)
class Segmentation:
    """The classes of an image's pixels: ``labels`` (height, width) in the net's size, uint8."""

    labels: np.ndarray
    table: ClassTable

    def shares(self) -> list[Share]:
        """All classes, the largest first."""
        count = len(self.table.names)
        counts = np.bincount(self.labels.ravel(), minlength=count).tolist()
        shares = [
            Share(
                number,
                self.table.names[number] if number < count else f"class {number}",
                self.table.colours[number] if number < count else (0, 0, 0),
                pixels / self.labels.size,
            )
            for number, pixels in enumerate(counts)
        ]
        return sorted(shares, key=lambda each: (-each.share, each.index))

    def map_picture(self, size: tuple[int, int] | None = None) -> bytes:
        """The classes as a PNG file with the table's colours as its palette, resized to
        (height, width).
        """
        labels = self.labels[None]
        if size is not None:
            labels = resample(labels, *size, Interpolation.NEAREST)
        return label_picture(labels, self.table)

    def overlay(self, image: np.ndarray, opacity: float = 0.5) -> bytes:
        """An image (channels, height, width) of any size with the classes over it, as PNG."""
        return overlay_picture(image, self.labels, self.table, opacity)


class Segmenter:
    """A predictor whose output is scores of classes for each pixel.

    Args:
        predictor: of ``can_segment``; the caller closes it.
        table: the classes; without one, their names are those of the predictor, or numbers.
    """

    def __init__(self, predictor: ImagePredictor, table: ClassTable | None = None) -> None:
        output = map_output(predictor)
        assert output is not None, "can_segment"
        self.predictor = predictor
        self.output, self.classes = output
        self.table = table if table is not None else _table_of(predictor.class_names, self.classes)

    def of(self, prediction: Prediction) -> Segmentation:
        """The classes of a predicted image."""
        return self._segmentation(prediction.outputs)

    def of_batch(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The classes of the pixels of decoded images, (height, width) each.

        Raises:
            DataError: for an image of another size than the net's.
        """
        wanted = self.predictor.transformer.shape
        for image in images:
            if image.shape != wanted:
                found, expected = ("x".join(map(str, shape)) for shape in (image.shape, wanted))
                raise DataError(f"an image is {found}, but the net was trained on {expected}")
        return [self._segmentation(outputs).labels for outputs in self.predictor.ask(images)]

    def _segmentation(self, outputs: Mapping[str, np.ndarray]) -> Segmentation:
        scores = outputs[self.output]
        return Segmentation(scores.argmax(axis=0).astype(np.uint8), self.table)


def can_segment(predictor: ImagePredictor) -> bool:
    """Whether the net has a score of several classes for each of several pixels."""
    return map_output(predictor) is not None


def map_output(predictor: ImagePredictor) -> tuple[str, int] | None:
    """The name and the number of classes of the only output of that form; None without one.

    Images and features are maps, too. Those of classes have a class table, or as many names as
    there are scores, or come from a Softmax.
    """
    found = [
        (name, shape[1])
        for name, shape in predictor.outputs.items()
        if len(shape) == 4 and 1 < shape[1] <= _MOST_CLASSES and shape[2] * shape[3] > 1
    ]
    if len(found) != 1:
        return None
    ((name, count),) = found
    table, names = predictor.pixel_classes, predictor.class_names
    if table is not None:
        return found[0] if len(table.names) <= count else None
    if names is not None:
        return found[0] if len(names) == count else None
    return found[0] if predictor.output_types[name] == "Softmax" else None


def _table_of(names: Sequence[str] | None, count: int) -> ClassTable:
    given = list(names or ())
    return ClassTable.of([*given, *(f"class {number}" for number in range(len(given), count))])


def original_image(path: Path) -> np.ndarray:
    """An image file as it is, upright.

    Raises:
        DataError: when it cannot be read.
    """
    try:
        return decode_image(path.read_bytes(), str(path), follows_exif=True)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
