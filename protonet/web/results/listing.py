"""What a test has found: figures of all images, and pages of images in a chosen order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from protonet.data.database import Database, is_database
from protonet.data.datum import decode_image
from protonet.data.resize import fit
from protonet.errors import DataError, UsageError
from protonet.jobs.predictions.classes import ClassedImage, ClassPredictions
from protonet.jobs.predictions.numbers import MeasuredImage, NumberPredictions
from protonet.jobs.predictions.summary import ClassSummary, NumberSummary, image_json, summarize
from protonet.web.data_url import data_url
from protonet.web.datasets.report import Histogram, histogram
from protonet.web.datasets.samples import picture
from protonet.web.forms import ImagesQuery

_POINTS = 2000
_COMPONENTS = 12
_SIDE = 192
"""Pixels of the longer side of a listed picture."""


@dataclass(frozen=True)
class NumberCharts(NumberSummary):
    """The figures of predicted numbers; ``points`` are (true, predicted) of each of the first
    numbers, ``residuals`` histograms of predicted minus true.
    """

    points: tuple[tuple[tuple[float, float], ...], ...]
    residuals: tuple[Histogram, ...]


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


def summary(found: ClassPredictions | NumberPredictions) -> ClassSummary | NumberCharts:
    """The figures of a test, and of numbers what is charted."""
    figures = summarize(found)
    if isinstance(figures, ClassSummary):
        return figures
    assert isinstance(found, NumberPredictions)
    first = figures.components[:_COMPONENTS]
    return NumberCharts(
        **vars(figures),
        points=tuple(tuple(found.points(at, _POINTS)) for at in range(len(first))),
        residuals=tuple(histogram(each.name, found.residuals(at)) for at, each in enumerate(first)),
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


def page_json(found: ClassPredictions | NumberPredictions, page: ImagePage) -> dict[str, Any]:
    """A page as JSON: images as ``test --answers`` writes them, with pictures as data URLs."""
    images = [
        {**image_json(found, seen.image.place), "png": seen.png and data_url(seen.png)}
        for seen in page.images
    ]
    return {"total": page.total, "offset": page.offset, "images": images}


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
