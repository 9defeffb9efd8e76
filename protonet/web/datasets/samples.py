"""Images of a data set with their labels, as pictures."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field

import numpy as np

from protonet.data.database import Database
from protonet.data.datum import decode, encode_image
from protonet.data.transform import load_mean
from protonet.errors import UsageError
from protonet.jobs.run.directory import read_class_names
from protonet.web.datasets.databases import Databases


@dataclass(frozen=True)
class Sample:
    """An image as PNG bytes with its key and its label: a vector, or the class."""

    key: str
    png: bytes = field(repr=False)
    label: tuple[float, ...] | None = None
    class_name: str = ""


def samples(
    databases: Databases, part: str = "train", offset: int = 0, count: int = 24
) -> list[Sample]:
    """Some images of a part with their labels, in the order of the keys.

    Raises:
        DataError: for records that cannot be read.
        UsageError: for a part that the data set does not have.
    """
    path, labels_path = databases.part(part)
    if path is None:
        raise UsageError(f"the data set has no part '{part}'")
    names = read_class_names(databases.classes) if databases.classes is not None else []
    found = []
    with ExitStack() as stack:
        images = stack.enter_context(Database(path))
        labels = None if labels_path is None else stack.enter_context(Database(labels_path))
        for key in images.keys()[offset : offset + count]:
            image, number = images.image(key)
            vector = None if labels is None else vector_of(labels, key)
            known = labels is None and 0 <= number < len(names)
            found.append(
                Sample(
                    key.decode(errors="replace"),
                    picture(image),
                    (float(number),) if vector is None else vector,
                    names[number] if known else "",
                )
            )
    return found


def mean_picture(databases: Databases) -> bytes:
    """The mean image as PNG bytes.

    Raises:
        UsageError: for a data set without one.
    """
    if databases.mean is None:
        raise UsageError("the data set has no mean image")
    return picture(load_mean(databases.mean))


def vector_of(labels: Database, key: bytes) -> tuple[float, ...]:
    """The label vector of a key."""
    return tuple(float(v) for v in decode(labels.get(key), labels.where(key)).ravel())


def picture(image: np.ndarray) -> bytes:
    """An image (channels, height, width) as PNG bytes; the first channel unless there are 1 or 3.

    Values other than bytes are scaled to the range of bytes.
    """
    shown = image if image.shape[0] in (1, 3) else image[:1]
    if shown.dtype != np.uint8:
        low, high = float(shown.min()), float(shown.max())
        if low < 0 or high > 255 or high <= 1:
            shown = (shown - low) * (255 / (high - low) if high > low else 0)
        shown = np.clip(np.rint(shown), 0, 255).astype(np.uint8)
    return encode_image(np.ascontiguousarray(shown))
