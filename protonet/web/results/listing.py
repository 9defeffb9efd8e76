"""What a test has found: figures of all images, and pages of images in a chosen order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from protonet.data.database import Database, is_database
from protonet.data.datum import decode_image
from protonet.data.resize import fit
from protonet.errors import DataError, UsageError
from protonet.jobs.evaluation.regression import Component
from protonet.jobs.predictions.classes import BEST, ClassedImage, ClassFigures, ClassPredictions
from protonet.jobs.predictions.numbers import MeasuredImage, NumberPredictions
from protonet.web.datasets.report import Histogram, histogram
from protonet.web.datasets.samples import picture
from protonet.web.forms import ImagesQuery

_POINTS = 2000
_COMPONENTS = 12
_MATRIX = 1000
"""Classes up to which the confusion matrix is listed."""
_SIDE = 192
"""Pixels of the longer side of a listed picture."""


@dataclass(frozen=True)
class ClassSummary:
    """The figures of a classifier: shares of images whose class is known. ``confusion`` has the
    cells that are not 0: (true class, predicted class, images).
    """

    iteration: int
    count: int
    known: int
    accuracy: float
    top_5: float
    classes: tuple[ClassFigures, ...]
    confusion: tuple[tuple[int, int, int], ...]
    failed: tuple[str, ...]
    failures: int


@dataclass(frozen=True)
class NumberSummary:
    """The figures of predicted numbers; ``points`` are (true, predicted) of each of the first
    numbers, ``residuals`` histograms of predicted minus true.
    """

    iteration: int
    count: int
    known: int
    components: tuple[Component, ...]
    points: tuple[tuple[tuple[float, float], ...], ...]
    residuals: tuple[Histogram, ...]
    failed: tuple[str, ...]
    failures: int


@dataclass(frozen=True)
class Seen:
    """An image of a page with its picture, if it can still be read."""

    image: ClassedImage | MeasuredImage
    png: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class ImagePage:
    """Some of ``total`` images in a chosen order, from ``offset`` on."""

    total: int
    offset: int
    images: tuple[Seen, ...]


def summary(found: ClassPredictions | NumberPredictions) -> ClassSummary | NumberSummary:
    """The figures of a test."""
    about = found.stored.about
    shared = (about.iteration, about.count, found.known)
    if isinstance(found, NumberPredictions):
        components = found.components()[:_COMPONENTS]
        return NumberSummary(
            *shared,
            tuple(components),
            tuple(tuple(found.points(at, _POINTS)) for at in range(len(components))),
            tuple(histogram(each.name, found.residuals(at)) for at, each in enumerate(components)),
            about.failed,
            about.failures,
        )
    return ClassSummary(
        *shared,
        found.accuracy(),
        found.accuracy(min(BEST, len(found.classes))),
        tuple(found.figures()),
        tuple(_cells(found.confusion)),
        about.failed,
        about.failures,
    )


def image_page(found: ClassPredictions | NumberPredictions, query: ImagesQuery) -> ImagePage:
    """A page of images.

    Raises:
        UsageError: for an order that these predictions do not have, or an unknown class.
    """
    places = _order(found, query)
    images: Sequence[ClassedImage | MeasuredImage] = found.images(
        places[query.offset : query.offset + query.count]
    )
    seen = _with_pictures(found.stored.about.images, images)
    return ImagePage(len(places), query.offset, tuple(seen))


def _order(found: ClassPredictions | NumberPredictions, query: ImagesQuery) -> np.ndarray:
    if query.order == "all":
        return np.arange(found.stored.about.count)
    if isinstance(found, NumberPredictions):
        if query.order != "worst":
            raise UsageError(f"order {query.order} is of classes; numbers have all and worst")
        return found.worst
    if query.order == "wrong":
        return found.wrong
    if query.order == "cell":
        return found.cell(_class(found, query.truth), _class(found, query.predicted))
    if query.order == "likeliest":
        return found.likeliest(_class(found, query.predicted))
    raise UsageError(f"order {query.order} is of numbers; classes have wrong, cell, likeliest, all")


def _class(found: ClassPredictions, number: int | None) -> int:
    if number is None or not 0 <= number < len(found.classes):
        raise UsageError(f"expected a class from 0 to {len(found.classes) - 1}, got {number}")
    return number


def _cells(confusion: np.ndarray) -> list[tuple[int, int, int]]:
    if len(confusion) > _MATRIX:
        return []
    return [
        (int(truth), int(said), int(confusion[truth, said]))
        for truth, said in np.argwhere(confusion)
    ]


def _with_pictures(source: Path, images: Sequence[ClassedImage | MeasuredImage]) -> list[Seen]:
    with ExitStack() as stack:
        stored = stack.enter_context(Database(source)) if is_database(source) else None
        return [Seen(image, _picture(stored, image.name)) for image in images]


def _picture(stored: Database | None, name: str) -> bytes | None:
    try:
        if stored is not None:
            pixels = stored.image(name.encode())[0]
        else:
            pixels = decode_image(Path(name).read_bytes(), name, follows_exif=True)
    except (DataError, OSError):
        return None
    height, width = pixels.shape[1:]
    scale = _SIDE / max(height, width)
    if scale < 1:
        pixels = fit(pixels, math.ceil(height * scale), math.ceil(width * scale), "squash")
    return picture(pixels)
