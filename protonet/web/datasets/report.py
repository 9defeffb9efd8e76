"""Inspection of a data set: its contents, the consistency of its parts, and samples."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from protonet.data.database import Database, check_pairs
from protonet.data.datum import decode, encoded_shape
from protonet.data.transform import load_mean
from protonet.errors import DataError, ProtonetError
from protonet.jobs.checks.pairing import refuse_swapped
from protonet.web.datasets.classes import Classes
from protonet.web.datasets.databases import Databases, Form
from protonet.web.recent import Recent

_LOOKED_AT = 5000
"""Number of records whose labels and shapes are read, from the first one."""
_PICTURES_LOOKED_AT = 500
"""The same of label pictures, which are decoded."""
_BINS = 24
_REPORTS = 32
"""Number of cached reports."""
BOXES: Form = "detection"


@dataclass(frozen=True)
class Histogram:
    """Counts between edges, with one more edge than counts; ``bars`` are names of some counts."""

    name: str
    counts: tuple[int, ...]
    edges: tuple[float, ...]
    bars: tuple[str, ...] = ()


@dataclass(frozen=True)
class Part:
    """The training or the validation data: number, shape and encoding of images, and labels.

    ``label`` is the shape of label vectors, None for class numbers in the images' records.
    ``looked_at`` is the number of records that were inspected.
    """

    name: str
    count: int
    shape: tuple[int, ...]
    encoded: bool
    label: tuple[int, ...] | None
    looked_at: int
    histograms: tuple[Histogram, ...]


@dataclass(frozen=True)
class Report:
    """The contents of a data set, and its problems."""

    parts: tuple[Part, ...] = ()
    mistakes: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    has_mean: bool = False
    form: Form = "classification"


def inspect(databases: Databases) -> Report:
    """Inspect all parts; problems are in the report, not raised."""
    parts, mistakes = [], []
    classes = Classes()
    try:
        classes = Classes.of(databases)
    except (ProtonetError, OSError) as error:
        mistakes.append(str(error))
    form = databases.form
    for name in ("train", "val"):
        images, labels = databases.part(name)
        if images is None:
            continue
        try:
            parts.append(_part(name, form, (images, labels), classes))
        except ProtonetError as error:
            mistakes.append(str(error))
    mistakes += _misfits(parts, form)
    if databases.mean is not None:
        try:
            mean = load_mean(databases.mean)
            one_size = form in ("classification", "regression")
            if parts and one_size and mean.shape != parts[0].shape:
                mistakes.append(
                    f"{databases.mean}: the mean has shape {_by(mean.shape)}, "
                    f"the images {_by(parts[0].shape)}"
                )
        except (ProtonetError, OSError) as error:
            mistakes.append(str(error))
    names = tuple(name for number, name in sorted(classes.names.items()) if number or form != BOXES)
    return Report(tuple(parts), tuple(mistakes), names, databases.mean is not None, form)


class Reports:
    """A cache of ``inspect``, valid while the files of a data set do not change."""

    def __init__(self) -> None:
        self._kept: Recent[Report] = Recent(_REPORTS)

    def of(self, databases: Databases) -> Report:
        """The report, cached if nothing has changed. Thread-safe."""
        return self._kept.of(databases, databases.stamp(), lambda: inspect(databases))


def histogram(name: str, values: np.ndarray, bins: int = _BINS) -> Histogram:
    """A histogram of the finite values."""
    finite = values[np.isfinite(values)]
    counts, edges = np.histogram(finite, bins=bins)
    return Histogram(name, tuple(int(c) for c in counts), tuple(float(e) for e in edges))


def _part(name: str, form: Form, paths: tuple[Path, Path | None], classes: Classes) -> Part:
    """Inspect a part of a form; images of detection and segmentation may differ in size."""
    with ExitStack() as stack:
        images = stack.enter_context(Database(paths[0]))
        key, first = images.first()
        shape = decode(first, images.where(key)).shape
        label: tuple[int, ...] | None = None
        if form == BOXES:
            histograms, looked_at = _box_histograms(images, classes)
        elif paths[1] is None:
            histograms, looked_at = _class_histogram(images, shape, classes)
        else:
            labels = stack.enter_context(Database(paths[1]))
            refuse_swapped(images, labels)
            check_pairs(images, labels)
            key, datum = labels.first()
            label = decode(datum, labels.where(key)).shape
            if form == "segmentation":
                histograms, looked_at = _pixel_histogram(images, labels, classes)
            else:
                histograms, looked_at = _vector_histograms(images, shape, labels, label)
        return Part(name, len(images), shape, first.encoded, label, looked_at, histograms)


def _vector_histograms(
    images: Database, shape: tuple[int, ...], labels: Database, label: tuple[int, ...]
) -> tuple[tuple[Histogram, ...], int]:
    vectors = _vectors(labels, label)
    looked_at = sum(1 for _ in islice(_shapes(images, shape), len(vectors)))
    return tuple(
        histogram(f"label[{place}]", vectors[:, place]) for place in range(vectors.shape[1])
    ), looked_at


def _box_histograms(images: Database, classes: Classes) -> tuple[tuple[Histogram, ...], int]:
    """Boxes by class, and the number of boxes in an image."""
    numbers: list[int] = []
    counts: list[int] = []
    for key in islice(images.keys(), _LOOKED_AT):
        groups = images.annotated(key).annotation_group
        found = [group.group_label for group in groups for _ in group.annotation]
        numbers += found
        counts.append(len(found))
    if numbers and min(numbers) < 0:
        raise DataError(f"{images.path}: classes of boxes are numbers from 0, got {min(numbers)}")
    named = max(classes.names, default=0) + 1
    return (
        _bars("boxes by class", np.bincount(numbers, minlength=named), classes),
        _bars("boxes in an image", np.bincount(counts)),
    ), len(counts)


def _pixel_histogram(
    images: Database, labels: Database, classes: Classes
) -> tuple[tuple[Histogram, ...], int]:
    """Pixels by class; each label picture must have the size of its image."""
    counts = np.zeros(256, np.int64)
    looked_at = 0
    for key in islice(labels.keys(), _PICTURES_LOOKED_AT):
        plane = decode(labels.get(key), labels.where(key))
        size = images.image(key)[0].shape[1:]
        if plane.dtype != np.uint8 or plane.shape != (1, *size):
            raise DataError(
                f"{labels.where(key)}: the labels are {_by(plane.shape)}, but the image is "
                f"{_by(size)}: expected a class for each pixel"
            )
        counts += np.bincount(plane.ravel(), minlength=256)
        looked_at += 1
    used = max(np.flatnonzero(counts).max(initial=0), len(classes.names) - 1) + 1
    return (_bars("pixels by class", counts[:used], classes),), looked_at


def _bars(name: str, counts: np.ndarray, classes: Classes | None = None) -> Histogram:
    """Counts by whole numbers from 0, or by classes."""
    edges = tuple(float(e) - 0.5 for e in range(len(counts) + 1))
    bars = () if classes is None else tuple(map(classes.name, range(len(counts))))
    return Histogram(name, tuple(int(c) for c in counts), edges, bars)


def _vectors(labels: Database, shape: tuple[int, ...]) -> np.ndarray:
    rows: list[np.ndarray] = []
    for key, datum in islice(labels, _LOOKED_AT):
        vector = decode(datum, labels.where(key))
        if vector.shape != shape:
            raise DataError(
                f"{labels.where(key)}: the label has shape {_by(vector.shape)}, "
                f"the first one {_by(shape)}"
            )
        rows.append(vector.ravel().astype(np.float64))
    return np.stack(rows)


def _shapes(images: Database, shape: tuple[int, ...]) -> Iterator[Any]:
    """The records in order; raises at the first one of another shape."""
    for key, datum in images:
        found = (datum.channels, datum.height, datum.width)
        if datum.encoded:
            found = encoded_shape(datum.data, images.where(key))
        if found != shape:
            raise DataError(
                f"{images.where(key)}: the image is {_by(found)}, the first one {_by(shape)}; "
                "a batch needs images of one shape"
            )
        yield datum


def _class_histogram(
    images: Database, shape: tuple[int, ...], classes: Classes
) -> tuple[tuple[Histogram, ...], int]:
    numbers = np.array([int(d.label) for d in islice(_shapes(images, shape), _LOOKED_AT)])
    if len(numbers) and numbers.min() < 0:
        raise DataError(f"{images.where(images.keys()[0])}: classes are numbers from 0")
    counts = np.bincount(numbers, minlength=len(classes.names))
    return (_bars("class", counts, classes),), len(numbers)


def _misfits(parts: list[Part], form: Form) -> list[str]:
    """The differences between training and validation data."""
    if len(parts) < 2 or form in (BOXES, "segmentation"):
        return []
    train, val = parts
    found = []
    if train.shape != val.shape:
        found.append(f"training images are {_by(train.shape)}, validation images {_by(val.shape)}")
    if train.label != val.label:
        found.append(
            f"training labels are {_label(train.label)}, validation labels {_label(val.label)}"
        )
    return found


def _label(shape: tuple[int, ...] | None) -> str:
    return "class numbers" if shape is None else f"vectors of {_by(shape)}"


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
