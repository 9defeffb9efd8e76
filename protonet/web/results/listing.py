"""What a test has found: figures of all images, and pages of images in a chosen order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from protonet.data.class_table import ClassTable
from protonet.data.database import Database, is_database
from protonet.data.datum import decode_image
from protonet.data.label_pictures import label_picture
from protonet.data.resize import fit
from protonet.errors import DataError, UsageError
from protonet.jobs.evaluation.detection import SCORE
from protonet.jobs.predictions.boxes import BoxedImage, BoxPredictions, BoxSummary, boxed_json
from protonet.jobs.predictions.classes import ClassedImage, ClassPredictions
from protonet.jobs.predictions.numbers import MeasuredImage, NumberPredictions
from protonet.jobs.predictions.pixels import (
    MappedImage,
    PixelPredictions,
    PixelSummary,
    pixels_json,
)
from protonet.jobs.predictions.summary import (
    ClassSummary,
    Found,
    NumberSummary,
    image_json,
    summarize,
)
from protonet.web.data_url import data_url
from protonet.web.datasets.report import Histogram, histogram
from protonet.web.datasets.samples import picture
from protonet.web.forms import ImagesQuery

_POINTS = 2000
_COMPONENTS = 12
_SIDE = 192
"""Pixels of the longer side of a listed picture."""
_LARGE = 480
"""The same of a picture with boxes, or beside the classes of its pixels."""
_KINDS: dict[type[Found], str] = {
    ClassPredictions: "classes",
    NumberPredictions: "numbers",
    BoxPredictions: "boxes",
    PixelPredictions: "pixels",
}
_ORDERS = {
    "classes": ("wrong", "cell", "likeliest", "all"),
    "numbers": ("worst", "all"),
    "boxes": ("worst", "all"),
    "pixels": ("worst", "cell", "all"),
}
"""The orders of the images of each kind of predictions."""


@dataclass(frozen=True)
class NumberCharts(NumberSummary):
    """The figures of predicted numbers; ``points`` are (true, predicted) of each of the first
    numbers, ``residuals`` histograms of predicted minus true.
    """

    points: tuple[tuple[tuple[float, float], ...], ...]
    residuals: tuple[Histogram, ...]


Image = ClassedImage | MeasuredImage | BoxedImage | MappedImage


@dataclass(frozen=True)
class Seen:
    """An image of a page with its picture, if it can still be read; with classes of pixels also
    their pictures, ``truth`` if it can still be read.
    """

    image: Image
    png: bytes | None = field(default=None, repr=False)
    truth: bytes | None = field(default=None, repr=False)
    predicted: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class ImagePage:
    """Some of ``total`` images in a chosen order, from ``offset`` on."""

    total: int
    offset: int
    images: tuple[Seen, ...]


def kind_of(found: Found) -> str:
    """What was predicted: classes, numbers, boxes or pixels."""
    return _KINDS[type(found)]


def summary(
    found: Found, threshold: float = SCORE
) -> ClassSummary | NumberCharts | BoxSummary | PixelSummary:
    """The figures of a test, and of numbers what is charted; of boxes those with this score or a
    higher one.
    """
    if isinstance(found, BoxPredictions):
        return found.summary(threshold)
    if isinstance(found, PixelPredictions):
        return found.summary()
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


def image_page(found: Found, query: ImagesQuery) -> ImagePage:
    """A page of images.

    Raises:
        UsageError: for an order that these predictions do not have, or an unknown class.
    """
    every = _order(found, query)
    places = every[query.offset : query.offset + query.count]
    images: Sequence[Image]
    if isinstance(found, BoxPredictions):
        images = found.images(places, query.threshold)
    else:
        images = found.images(places)
    large = isinstance(found, BoxPredictions | PixelPredictions)
    seen = _with_pictures(found.about.images, images, _LARGE if large else _SIDE)
    if isinstance(found, PixelPredictions):
        seen = [_with_maps(each, found.table) for each in seen]
    return ImagePage(len(every), query.offset, tuple(seen))


def page_json(found: Found, page: ImagePage) -> dict[str, Any]:
    """A page as JSON: images as ``test --answers`` writes them, with pictures as data URLs."""
    images = [{**_json(found, seen.image), **_pictures_json(seen)} for seen in page.images]
    return {"total": page.total, "offset": page.offset, "images": images}


def _json(found: Found, image: Image) -> dict[str, Any]:
    if isinstance(found, PixelPredictions):
        return pixels_json(image.place, image.name, found.report)
    if isinstance(found, BoxPredictions):
        assert isinstance(image, BoxedImage)
        return boxed_json(image)
    return image_json(found, image.place)


def _pictures_json(seen: Seen) -> dict[str, str | None]:
    pictures = {"png": seen.png}
    if seen.predicted is not None:
        pictures |= {"true_png": seen.truth, "predicted_png": seen.predicted}
    return {name: None if png is None else data_url(png) for name, png in pictures.items()}


def _order(found: Found, query: ImagesQuery) -> np.ndarray:
    kind = kind_of(found)
    if query.order not in _ORDERS[kind]:
        known = ", ".join(_ORDERS[kind])
        raise UsageError(f"{kind} have no order {query.order}, but {known}")
    if query.order == "all":
        return np.arange(found.about.count)
    if isinstance(found, BoxPredictions):
        return found.worst(query.threshold)
    if isinstance(found, NumberPredictions):
        return found.worst
    if query.order == "cell":
        return found.cell(_class(found, query.truth), _class(found, query.predicted))
    if isinstance(found, PixelPredictions):
        return found.worst()
    if query.order == "wrong":
        return found.wrong
    return found.likeliest(_class(found, query.predicted))


def _class(found: ClassPredictions | PixelPredictions, number: int | None) -> int:
    if number is None or not 0 <= number < len(found.classes):
        raise UsageError(f"expected a class from 0 to {len(found.classes) - 1}, got {number}")
    return number


def _with_pictures(source: Path, images: Sequence[Image], side: int) -> list[Seen]:
    with ExitStack() as stack:
        try:
            stored = stack.enter_context(Database(source)) if is_database(source) else None
        except DataError:
            return [Seen(image) for image in images]
        return [Seen(image, _picture(stored, image.name, side)) for image in images]


def _with_maps(seen: Seen, table: ClassTable) -> Seen:
    """With the pictures of its classes."""
    image = seen.image
    assert isinstance(image, MappedImage)
    truth = None if image.truth is None else label_picture(image.truth, table)
    return replace(seen, truth=truth, predicted=label_picture(image.predicted, table))


def _picture(stored: Database | None, name: str, side: int) -> bytes | None:
    try:
        if stored is not None:
            pixels = stored.image(name.encode())[0]
        else:
            pixels = decode_image(Path(name).read_bytes(), name, follows_exif=True)
    except (DataError, OSError):
        return None
    height, width = pixels.shape[1:]
    scale = side / max(height, width)
    if scale < 1:
        pixels = fit(pixels, math.ceil(height * scale), math.ceil(width * scale), "squash")
    return picture(pixels)
