"""Checks that the databases of a run exist, are paired, and have images of one size."""

from __future__ import annotations

from pathlib import Path

from protonet.blob import Shape
from protonet.data.database import Database, check_pairs
from protonet.data.datum import decode
from protonet.data.transform import load_mean
from protonet.errors import DataError
from protonet.jobs.checks.pairing import refuse_swapped
from protonet.jobs.run.settings import RunSettings


def check_databases(settings: RunSettings) -> list[str]:
    """Open every database, and check that images and labels pair up; return notes.

    Raises:
        DataError: for a database that cannot be used, or labels of other images.
    """
    notes = []
    for images, labels in (
        (settings.data, settings.labels),
        (settings.val_data, settings.val_labels),
    ):
        if images is None:
            continue
        with Database(images) as left:
            if labels is not None:
                with Database(labels) as right:
                    refuse_swapped(left, right)
                    notes.append(check_pairs(left, right, by_position=settings.by_position))
            else:
                left.first()
    return [note for note in notes if note]


def refuse_other_mean(given: Path, settings: RunSettings) -> None:
    """Refuse a given mean of another size than the images, naming the user's file instead of the
    copy in the run.
    """
    mean = load_mean(given)
    for path in (settings.data, settings.val_data):
        if path is None:
            continue
        shape = _image_shape(path)
        if mean.shape != shape:
            found, expected = ("x".join(map(str, each)) for each in (shape, mean.shape))
            raise DataError(
                f"{given}: the mean is {expected}, but the images of {path} are {found}; "
                "they must have the same size"
            )


def refuse_other_sizes(settings: RunSettings) -> None:
    """Refuse validation images of another size than the mean of the training images."""
    if settings.val_data is None:
        return
    found, expected = (
        "x".join(map(str, _image_shape(path))) for path in (settings.val_data, settings.data)
    )
    if found != expected:
        raise DataError(
            f"{settings.val_data}: its images are {found}, but those of {settings.data} are "
            f"{expected}; they must have the same size"
        )


def _image_shape(path: Path) -> Shape:
    """Channels, height and width of the first image of a database."""
    with Database(path) as database:
        key, datum = database.first()
        return decode(datum, database.where(key)).shape
