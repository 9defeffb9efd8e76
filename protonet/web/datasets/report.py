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
from protonet.jobs.run.directory import read_class_names
from protonet.web.datasets.databases import Databases

_LOOKED_AT = 5000
"""Number of records whose labels and shapes are read, from the first one."""
_BINS = 24
_REPORTS = 32
"""Number of cached reports."""


@dataclass(frozen=True)
class Histogram:
    """Counts between edges, with one more edge than counts."""

    name: str
    counts: tuple[int, ...]
    edges: tuple[float, ...]


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


def inspect(databases: Databases) -> Report:
    """Inspect all parts; problems are in the report, not raised."""
    parts, mistakes = [], []
    classes: list[str] = []
    if databases.classes is not None:
        try:
            classes = read_class_names(databases.classes)
        except (ProtonetError, OSError) as error:
            mistakes.append(str(error))
    for name in ("train", "val"):
        images, labels = databases.part(name)
        if images is None:
            continue
        try:
            parts.append(_part(name, images, labels, classes))
        except ProtonetError as error:
            mistakes.append(str(error))
    mistakes += _misfits(parts)
    if databases.mean is not None:
        try:
            mean = load_mean(databases.mean)
            if parts and mean.shape != parts[0].shape:
                mistakes.append(
                    f"{databases.mean}: the mean has shape {_by(mean.shape)}, "
                    f"the images {_by(parts[0].shape)}"
                )
        except (ProtonetError, OSError) as error:
            mistakes.append(str(error))
    return Report(tuple(parts), tuple(mistakes), tuple(classes), databases.mean is not None)


class Reports:
    """A cache of ``inspect``, valid while the files of a data set do not change."""

    def __init__(self) -> None:
        self._kept: dict[Databases, tuple[tuple[float, ...], Report]] = {}

    def of(self, databases: Databases) -> Report:
        """The report, cached if nothing has changed. Thread-safe."""
        stamp = databases.stamp()
        known = self._kept.get(databases)
        if known is not None and known[0] == stamp:
            return known[1]
        report = inspect(databases)
        newest = list(self._kept.items())[1 - _REPORTS :]
        # Replaced, not mutated: other threads read it.
        self._kept = {**dict(newest), databases: (stamp, report)}
        return report


def histogram(name: str, values: np.ndarray, bins: int = _BINS) -> Histogram:
    """A histogram of the finite values."""
    finite = values[np.isfinite(values)]
    counts, edges = np.histogram(finite, bins=bins)
    return Histogram(name, tuple(int(c) for c in counts), tuple(float(e) for e in edges))


def _part(name: str, path: Path, labels_path: Path | None, classes: list[str]) -> Part:
    with ExitStack() as stack:
        images = stack.enter_context(Database(path))
        key, first = images.first()
        shape = decode(first, images.where(key)).shape
        if labels_path is None:
            found, looked_at = _class_histogram(images, shape, classes)
            return Part(name, len(images), shape, first.encoded, None, looked_at, (found,))
        labels = stack.enter_context(Database(labels_path))
        check_pairs(images, labels)
        key, datum = labels.first()
        label = decode(datum, labels.where(key)).shape
        vectors = _vectors(labels, label)
        looked_at = sum(1 for _ in islice(_shapes(images, shape), len(vectors)))
        histograms = tuple(
            histogram(f"label[{place}]", vectors[:, place]) for place in range(vectors.shape[1])
        )
        return Part(name, len(images), shape, first.encoded, label, looked_at, histograms)


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
    images: Database, shape: tuple[int, ...], classes: list[str]
) -> tuple[Histogram, int]:
    numbers = np.array([int(d.label) for d in islice(_shapes(images, shape), _LOOKED_AT)])
    if len(numbers) and numbers.min() < 0:
        raise DataError(f"{images.where(images.keys()[0])}: classes are numbers from 0")
    counts = np.bincount(numbers, minlength=len(classes))
    edges = tuple(float(e) - 0.5 for e in range(len(counts) + 1))
    return Histogram("class", tuple(int(c) for c in counts), edges), len(numbers)


def _misfits(parts: list[Part]) -> list[str]:
    """The differences between training and validation data."""
    if len(parts) < 2:
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
