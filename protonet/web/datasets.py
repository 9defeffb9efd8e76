"""Inspection of a data set: its contents, the consistency of its parts, and samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from protonet.data.database import DATA_FILE, Database, check_pairs
from protonet.data.datum import decode, encode_image, encoded_shape
from protonet.data.transform import load_mean
from protonet.errors import DataError, ProtonetError, UsageError
from protonet.jobs.run.directory import read_class_names

_LOOKED_AT = 5000
"""Number of records whose labels and shapes are read, from the first one."""
_BINS = 24
_REPORTS = 32
"""Number of cached reports."""


@dataclass(frozen=True)
class Databases:
    """The paths of a data set. ``mean`` is a file, ``classes`` a labels.txt."""

    train_images: Path
    train_labels: Path | None = None
    val_images: Path | None = None
    val_labels: Path | None = None
    mean: Path | None = None
    classes: Path | None = None

    @staticmethod
    def of_folder(folder: Path) -> Databases:
        """The files in a folder that the commands for data sets write."""

        def there(name: str) -> Path | None:
            return folder / name if (folder / name).exists() else None

        return Databases(
            folder / "train_images",
            train_labels=there("train_labels"),
            val_images=there("val_images"),
            val_labels=there("val_labels"),
            mean=there("train_mean.binaryproto"),
            classes=there("labels.txt"),
        )

    @staticmethod
    def of_names(names: Mapping[str, str | None]) -> Databases:
        """Databases by the names of the fields here."""

        def path(name: str) -> Path | None:
            value = names.get(name)
            return Path(value) if value else None

        return Databases(
            Path(names["train_images"] or ""),
            train_labels=path("train_labels"),
            val_images=path("val_images"),
            val_labels=path("val_labels"),
            mean=path("mean"),
            classes=path("classes"),
        )

    def part(self, name: str) -> tuple[Path | None, Path | None]:
        """Images and labels of ``train`` or ``val``."""
        if name == "train":
            return self.train_images, self.train_labels
        return self.val_images, self.val_labels


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


@dataclass(frozen=True)
class Sample:
    """An image as PNG bytes with its key and its label: a vector, or the class."""

    key: str
    png: bytes = field(repr=False)
    label: tuple[float, ...] | None = None
    class_name: str = ""


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
        stamp = _stamp(databases)
        known = self._kept.get(databases)
        if known is not None and known[0] == stamp:
            return known[1]
        report = inspect(databases)
        newest = list(self._kept.items())[1 - _REPORTS :]
        # Replaced, not mutated: other threads read it.
        self._kept = {**dict(newest), databases: (stamp, report)}
        return report


def _stamp(databases: Databases) -> tuple[float, ...]:
    """The modification times of existing files."""
    paths = [each for name in ("train", "val") for each in databases.part(name)]
    times = []
    for path in (*paths, databases.mean, databases.classes):
        for file in () if path is None else (path, path / DATA_FILE):
            try:
                times.append(file.stat().st_mtime)
            except OSError:
                times.append(-1.0)
    return tuple(times)


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
