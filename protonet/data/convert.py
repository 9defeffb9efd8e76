"""Image files to databases: with classes, as convert_imageset, or with vectors of numbers."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from protonet.data.create import Progress, removed_on_failure, write_mean
from protonet.data.datum import decode_image, make_datum
from protonet.data.image_list import ImageList
from protonet.data.resize import resize
from protonet.data.writer import DatabaseWriter
from protonet.errors import DataError, UsageError
from protonet.proto.caffe_pb2 import Datum


@dataclass(frozen=True)
class ImageForm:
    """How images go into a database.

    ``size`` is (height, width) to which each is brought, or None; ``color`` forces three channels
    or one, None keeps what the file has; ``encoded`` stores PNG instead of pixels.
    """

    size: tuple[int, int] | None = None
    color: bool | None = None
    encoded: bool = False

    def apply(self, image: np.ndarray) -> np.ndarray:
        """The image in the wanted size."""
        return image if self.size is None else resize(image, *self.size)


@dataclass(frozen=True)
class VectorTable:
    """A CSV of image files and numbers: ``rows`` are (line, file, numbers)."""

    path: Path
    columns: tuple[str, ...]
    rows: tuple[tuple[int, str, tuple[float, ...]], ...]


def read_table(path: Path) -> VectorTable:
    """Read a CSV whose first column names an image, and whose others are the label's numbers.

    A first line whose numbers are none is a header.

    Raises:
        DataError: naming line and column of what is missing or is no number.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = [(number, row) for number, row in enumerate(csv.reader(file), 1) if any(row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as CSV: {error}") from error
    columns: tuple[str, ...] = ()
    if lines and not any(_is_number(cell) for cell in lines[0][1][1:]):
        columns = tuple(cell.strip() for cell in lines.pop(0)[1][1:])
    if not lines:
        raise DataError(f"{path}: has no row of an image and its numbers")
    width = len(lines[0][1])
    rows = []
    for number, row in lines:
        if len(row) != width or width < 2:
            raise DataError(
                f"{path}:{number}: expected an image and {max(1, width - 1)} number(s), got "
                f"{len(row)} column(s)"
            )
        for place, cell in enumerate(row[1:], 2):
            if not _is_number(cell):
                raise DataError(f"{path}:{number}: column {place}: '{cell}' is no finite number")
        rows.append((number, row[0].strip(), tuple(float(cell) for cell in row[1:])))
    return VectorTable(path, columns, tuple(rows))


def _is_number(cell: str) -> bool:
    try:
        return bool(np.isfinite(float(cell)))
    except ValueError:
        return False


def convert_vectors(
    table: VectorTable,
    folder: Path,
    form: ImageForm,
    *,
    root: Path | None = None,
    val_share: float = 0.0,
    shuffle: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, int]:
    """Make paired databases in a new ``folder``: train_images, train_labels, train_mean and, with
    a ``val_share``, the same of val. Returns the images of each part.

    Images are looked up in ``root``, by default beside the table. With ``shuffle`` they are put in
    an order that depends on the seed only; the last ``val_share`` of them is for validation.

    Raises:
        UsageError: when the folder exists, or a share leaves nothing to train on.
        DataError: for images that cannot be used or differ in shape: names the table's line.
            Whatever was begun is removed.
    """
    count = len(table.rows)
    held = round(count * val_share)
    if not 0 <= val_share < 1 or held == count:
        raise UsageError(f"a validation share of {val_share:g} leaves no image of {count} to train")
    order = np.random.default_rng(seed).permutation(count) if shuffle else np.arange(count)
    parts = {"train": order[: count - held], "val": order[count - held :]}
    shape: tuple[int, ...] | None = None
    done = 0
    with removed_on_failure(folder):
        for part, places in parts.items():
            if not len(places):
                continue
            with (
                DatabaseWriter(folder / f"{part}_images") as images,
                DatabaseWriter(folder / f"{part}_labels") as labels,
            ):
                for index, place in enumerate(places):
                    line, name, numbers = table.rows[place]
                    where = f"{table.path}:{line}: {name}"
                    path = (table.path.parent if root is None else root) / name
                    image = form.apply(decode_image(_read(path, where), where, color=form.color))
                    shape = image.shape if shape is None else shape
                    _check_shape(image, shape, where)
                    key = f"{index:08d}".encode()
                    images.put(key, make_datum(image, encoded=form.encoded))
                    vector = np.array(numbers, np.float32).reshape(1, 1, -1)
                    labels.put(key, make_datum(vector))
                    done += 1
                    if progress is not None:
                        progress(done, count)
            write_mean(folder, part)
    return {part: len(places) for part, places in parts.items() if len(places)}


def convert_images(
    images: ImageList,
    path: Path,
    form: ImageForm,
    *,
    shuffle: bool = False,
    seed: int = 0,
    check_size: bool = False,
    progress: Progress | None = None,
) -> int:
    """Make a database of the images that a list names, as Caffe's convert_imageset does; returns
    their number. Keys are the place and the name: ``00000012_cats/7.png``.

    Raises:
        UsageError: when the database exists.
        DataError: for images that cannot be used or, with ``check_size``, differ in shape.
            Whatever was begun is removed.
    """
    order: Sequence[int] = range(len(images))
    if shuffle:
        order = np.random.default_rng(seed).permutation(len(images)).tolist()
    shape: tuple[int, ...] | None = None
    with DatabaseWriter(path) as database:
        for index, place in enumerate(order):
            image, label = images.image(place, color=form.color)
            image = form.apply(image)
            shape = image.shape if shape is None else shape
            if check_size:
                _check_shape(image, shape, images.where(place))
            datum: Datum = make_datum(image, label=label, encoded=form.encoded)
            database.put(f"{index:08d}_{images.name(place)}".encode(), datum)
            if progress is not None:
                progress(index + 1, len(images))
    return len(images)


def _read(path: Path, where: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{where}: cannot be read: {error.strerror}") from error


def _check_shape(image: np.ndarray, shape: tuple[int, ...], where: str) -> None:
    if image.shape != shape:
        found, expected = ("x".join(map(str, each)) for each in (image.shape, shape))
        raise DataError(
            f"{where}: is {found}, but the first image is {expected}; give a width and a height, "
            "and gray or colour, to which all are brought"
        )
