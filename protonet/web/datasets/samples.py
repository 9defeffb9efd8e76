"""Images of a data set with their labels, as pictures."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from protonet.data.annotated import read_annotated
from protonet.data.boxes import Objects
from protonet.data.database import Database
from protonet.data.datum import as_bytes, decode, encode_image
from protonet.data.interpolation import Interpolation, resample
from protonet.data.label_pictures import overlay_picture
from protonet.data.transform import load_mean
from protonet.errors import DataError, UsageError
from protonet.web.datasets.classes import Classes
from protonet.web.datasets.databases import Databases


@dataclass(frozen=True)
class Box:
    """A box of an image: its class, and left, top, right, bottom as fractions of the image."""

    number: int
    name: str
    corners: tuple[float, float, float, float]
    difficult: bool = False


@dataclass(frozen=True)
class Sample:
    """An image as PNG bytes with its key and its label: a vector, or the class.

    ``boxes`` are those of detection; ``classes`` the names of those that it has for detection and
    segmentation, where the picture shows the classes of its pixels.
    """

    key: str
    png: bytes = field(repr=False)
    label: tuple[float, ...] | None = None
    class_name: str = ""
    boxes: tuple[Box, ...] = ()
    classes: tuple[str, ...] = ()
    size: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Shown:
    """How images are shown: their longer side at most, and how strongly their classes of pixels."""

    side: int | None = None
    opacity: float = 0.5


def samples(
    databases: Databases, part: str = "train", offset: int = 0, count: int = 24
) -> list[Sample]:
    """Some images of a part with their labels, in the order of the keys.

    Raises:
        DataError: for records that cannot be read.
        UsageError: for a part that the data set does not have.
    """
    with Database(images_of(databases, part)) as images:
        keys = images.some_keys(offset, count)
    return samples_of(databases, part, keys)


def images_of(databases: Databases, part: str) -> Path:
    """The images of a part.

    Raises:
        UsageError: for a part that the data set does not have.
    """
    path, _ = databases.part(part)
    if path is None:
        raise UsageError(f"the data set has no part '{part}'")
    return path


def samples_of(
    databases: Databases, part: str, keys: Iterable[bytes], shown: Shown | None = None
) -> list[Sample]:
    """The images of these keys.

    Raises:
        DataError: for records that cannot be read.
        UsageError: for a part that the data set does not have.
    """
    keys = tuple(keys)
    if not keys:
        return []
    classes, form = Classes.of(databases), databases.form
    _, labels_path = databases.part(part)
    how = Shown() if shown is None else shown
    with ExitStack() as stack:
        images = stack.enter_context(Database(images_of(databases, part)))
        labels = None if labels_path is None else stack.enter_context(Database(labels_path))
        if form == "detection":
            return [_with_boxes(images, key, classes, how) for key in keys]
        if form == "segmentation" and labels is not None:
            return [_with_pixels(images, labels, key, classes, how) for key in keys]
        return [_with_label(images, labels, key, classes, how) for key in keys]


def _with_label(
    images: Database, labels: Database | None, key: bytes, classes: Classes, how: Shown
) -> Sample:
    image, number = images.image(key)
    vector = None if labels is None else vector_of(labels, key)
    name = classes.names.get(number, "") if labels is None else ""
    return Sample(
        _text(key),
        picture(small(image, how.side)),
        (float(number),) if vector is None else vector,
        name,
        size=image.shape[1:],
    )


def _with_boxes(images: Database, key: bytes, classes: Classes, how: Shown) -> Sample:
    record = read_annotated(images, key, boxes=True)
    boxes = boxes_of(record.objects, classes)
    names = tuple(dict.fromkeys(box.name for box in boxes))
    png = picture(small(record.image, how.side))
    return Sample(_text(key), png, boxes=boxes, classes=names, size=record.image.shape[1:])


def _with_pixels(
    images: Database, labels: Database, key: bytes, classes: Classes, how: Shown
) -> Sample:
    image, _ = images.image(key)
    plane = decode(labels.get(key), labels.where(key))
    if plane.ndim != 3 or plane.shape[0] != 1:
        raise DataError(f"{labels.where(key)}: expected one class for each pixel")
    names = tuple(classes.name(int(number)) for number in np.unique(plane))
    shown = small(as_bytes(image), how.side)
    png = overlay_picture(shown, plane, classes.pixels(), how.opacity)
    return Sample(_text(key), png, classes=names, size=image.shape[1:])


def boxes_of(objects: Objects, classes: Classes) -> tuple[Box, ...]:
    """Boxes with the names of their classes."""
    rows = zip(objects.boxes.tolist(), objects.marks.tolist(), strict=True)
    return tuple(
        Box(int(number), classes.name(int(number)), (left, top, right, bottom), bool(difficult))
        for (left, top, right, bottom), (number, _, difficult) in rows
    )


def mean_picture(databases: Databases) -> bytes:
    """The mean image as PNG bytes.

    Raises:
        UsageError: for a data set without one.
    """
    return picture(_mean(databases))


def mean_pixel(databases: Databases) -> tuple[float, ...]:
    """The mean of each channel over the mean image.

    Raises:
        UsageError: for a data set without one.
    """
    return tuple(float(value) for value in _mean(databases).mean(axis=(1, 2)))


def _mean(databases: Databases) -> np.ndarray:
    if databases.mean is None:
        raise UsageError("the data set has no mean image")
    return load_mean(databases.mean)


def vector_of(labels: Database, key: bytes) -> tuple[float, ...]:
    """The label vector of a key."""
    return tuple(float(v) for v in decode(labels.get(key), labels.where(key)).ravel())


def picture(image: np.ndarray) -> bytes:
    """An image (channels, height, width) as PNG bytes; the first channel unless there are 1 or 3.

    Values other than bytes are scaled to the range of bytes.
    """
    return encode_image(np.ascontiguousarray(as_bytes(image)))


def small(image: np.ndarray, side: int | None) -> np.ndarray:
    """An image whose longer side is ``side`` pixels at most."""
    height, width = image.shape[1:]
    longer = max(height, width)
    if side is None or longer <= side:
        return image
    new = (max(1, round(height * side / longer)), max(1, round(width * side / longer)))
    return resample(image, *new, Interpolation.AREA)


def _text(key: bytes) -> str:
    return key.decode(errors="replace")
