"""Image files to databases: with classes, as convert_imageset, or with vectors of numbers."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from protonet.blob import Shape
from protonet.data.create import Progress, write_mean
from protonet.data.datum import ENCODINGS, decode, decode_image, encode_image, make_datum
from protonet.data.image_list import ImageList
from protonet.data.orientation import orientation_of
from protonet.data.partial import Partial, Settings, partial_output
from protonet.data.resize import fit
from protonet.data.writer import DatabaseWriter
from protonet.errors import DataError, UsageError
from protonet.proto.caffe_pb2 import Datum

OWN = "own"
"""Stored as what the end of the file's name says."""


@dataclass(frozen=True)
class ImageForm:
    """How images go into a database.

    ``size`` is (height, width) to which each is brought as ``fit`` says (one of
    ``data.resize.FITS``), or None; ``color`` forces three channels
    or one, None keeps what the file has. ``encoded`` stores an image file of that kind (a key of
    ``ENCODINGS``, or OWN) instead of pixels.
    """

    size: tuple[int, int] | None = None
    color: bool | None = None
    encoded: str | None = None
    fit: str = "squash"

    def record(self, data: bytes, where: str, name: str, label: int | None = None) -> Made:
        """The image file ``data`` as a record.

        Raises:
            DataError: for what is no image, or an ending that cannot be stored.
        """
        image = decode_image(data, where, follows_exif=True)
        # What is stored is decoded without a look at EXIF, so a turned file is stored upright.
        as_it_is = self.size is None and orientation_of(data) == 1
        if self.color is not None and image.shape[0] != (3 if self.color else 1):
            image = decode_image(data, where, color=self.color, follows_exif=True)
            as_it_is = False
        if self.size is not None:
            image = fit(image, *self.size, self.fit)
        if self.encoded is None:
            return Made(image, make_datum(image, label=label))
        ending = Path(name).suffix.removeprefix(".").lower()
        kind = ending if self.encoded == OWN else self.encoded
        if kind not in ENCODINGS:
            raise DataError(
                f"{where}: cannot be stored as '{kind}'; say as what: {', '.join(ENCODINGS)}"
            )
        # A file that needs no change keeps its bytes: what was lost in it once is not lost again.
        keeps = as_it_is and kind == ending
        return Made(
            image,
            make_datum(image, label=label, encoded=data if keeps else encode_image(image, kind)),
        )


class Made(NamedTuple):
    """An image, (channels, height, width), and the record of it."""

    image: np.ndarray
    datum: Datum


@dataclass(frozen=True)
class VectorTable:
    """A CSV of image files and numbers: ``rows`` are (line, file, numbers)."""

    path: Path
    columns: tuple[str, ...]
    rows: tuple[tuple[int, str, tuple[float, ...]], ...]


_MOST_ROWS, _MOST_COLUMNS, _MOST_CELLS = 2**21, 2**14, 2**24
"""What a table may have: all of it is held in memory."""


def _bounded_rows(path: Path, file: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not empty, with their line; refuses what would fill the memory."""
    rows = cells = 0
    for number, row in enumerate(csv.reader(file), 1):
        if not any(row):
            continue
        rows, cells = rows + 1, cells + len(row)
        if len(row) > _MOST_COLUMNS or rows > _MOST_ROWS or cells > _MOST_CELLS:
            raise DataError(
                f"{path}:{number}: the table is too large: at most {_MOST_COLUMNS} columns, "
                f"{_MOST_ROWS} rows and {_MOST_CELLS} cells are read; divide it"
            )
        yield number, row


def read_table(path: Path) -> VectorTable:
    """Read a CSV whose first column names an image, and whose others are the label's numbers.

    A first line whose numbers are none is a header.

    Raises:
        DataError: naming line and column of what is missing or is no number, or where the table
            grows too large.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = list(_bounded_rows(path, file))
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
    backend: str = "lmdb",
    restart: bool = False,
    progress: Progress | None = None,
) -> dict[str, int]:
    """Make paired databases in a new ``folder``: train_images, train_labels, train_mean and, with
    a ``val_share``, the same of val. Returns the images of each part.

    Images are looked up in ``root``, by default beside the table. With ``shuffle`` they are put in
    an order that depends on the seed only; the last ``val_share`` of them is for validation.

    What is interrupted goes on in the next call with the same arguments and ends as if it had not
    been (``data.partial``); the table may have changed behind the rows that are written.
    ``restart`` begins anew. ``progress`` is told at once what is there.

    Raises:
        UsageError: when the folder exists, was begun with other settings, or a share leaves
            nothing to train on.
        DataError: for images that cannot be used or differ in shape: names the table's line.
    """
    count = len(table.rows)
    held = round(count * val_share)
    if not 0 <= val_share < 1 or held == count:
        raise UsageError(f"a validation share of {val_share:g} leaves no image of {count} to train")
    order = np.random.default_rng(seed).permutation(count) if shuffle else np.arange(count)
    parts = {"train": order[: count - held].tolist(), "val": order[count - held :].tolist()}
    parts = {part: places for part, places in parts.items() if places}
    base = table.path.parent if root is None else root
    settings = Settings(
        {
            **_form_values(form),
            "root": str(base.resolve()),
            "val-share": val_share,
            "shuffle": shuffle,
            "seed": seed if shuffle else None,
            "backend": backend,
        }
    )
    with partial_output(folder, settings, restart=restart) as work:
        shape: Shape | None = None
        before = 0
        for part, places in parts.items():
            watch = _watch(work, before, count, progress)
            pairs = _Pairs(table, base, form, places, shape)
            shape = pairs.write(work, part, backend, watch)
            # The picture of the mean is the last file of a part.
            if not (work.folder / f"{part}_mean.png").exists():
                write_mean(work.folder, part)
            before += len(places)
    return {part: len(places) for part, places in parts.items()}


@dataclass
class _Pairs:
    """Rows of a table on their way into a database of images and one of labels."""

    table: VectorTable
    base: Path
    form: ImageForm
    places: Sequence[int]
    shape: Shape | None

    def write(
        self, work: Partial, part: str, backend: str, watch: Callable[[int], None]
    ) -> Shape | None:
        """Write what is not there yet; returns the shape of the images."""
        stem = work.folder / part
        rows = [self.table.rows[place] for place in self.places]
        with (
            DatabaseWriter(Path(f"{stem}_images"), backend=backend, resume=True) as images,
            DatabaseWriter(Path(f"{stem}_labels"), backend=backend, resume=True) as labels,
        ):
            # Records are committed in their order: so many, from the first, are there. One of the
            # two may be ahead; what it has is written once more.
            begin = min(len(images), len(labels))
            lines = [",".join((name, *map(repr, numbers))) for _, name, numbers in rows]
            if work.check_rows(lines, begin, self._where, part):
                # The mean of a part that was whole before the table grew.
                Path(f"{stem}_mean.png").unlink(missing_ok=True)
            self.shape = _first_shape(images, self.shape)
            watch(begin)
            for index in range(begin, len(rows)):
                _, name, numbers = rows[index]
                where = self._where(index)
                made = self.form.record(_read(self.base / name, where), where, name)
                self.shape = _check_shape(made.image, self.shape, where)
                key = f"{index:08d}".encode()
                images.put(key, made.datum)
                vector = np.array(numbers, np.float32).reshape(1, 1, -1)
                labels.put(key, make_datum(vector))
                watch(index + 1)
        return self.shape

    def _where(self, index: int) -> str:
        line, name, _ = self.table.rows[self.places[index]]
        return f"{self.table.path}:{line}: {name}"


def convert_images(
    images: ImageList,
    path: Path,
    form: ImageForm,
    *,
    shuffle: bool = False,
    seed: int = 0,
    check_size: bool = False,
    backend: str = "lmdb",
    restart: bool = False,
    progress: Progress | None = None,
) -> int:
    """Make a database of the images that a list names, as Caffe's convert_imageset does; returns
    their number. Keys are the place and the name: ``00000012_cats/7.png``.

    What is interrupted goes on as in ``convert_vectors``.

    Raises:
        UsageError: when the database exists, or was begun with other settings.
        DataError: for images that cannot be used or, with ``check_size``, differ in shape.
    """
    order: Sequence[int] = range(len(images))
    if shuffle:
        order = np.random.default_rng(seed).permutation(len(images)).tolist()
    settings = Settings(
        {
            **_form_values(form),
            "root": str(Path(images.root).resolve()),
            "shuffle": shuffle,
            "seed": seed if shuffle else None,
            "check-size": check_size,
            "backend": backend,
        }
    )
    with partial_output(path, settings, restart=restart) as work:
        watch = _watch(work, 0, len(images), progress)
        with DatabaseWriter(work.folder, backend=backend, resume=True) as database:
            begin = len(database)
            lines = [f"{images.name(place)} {images.label(place)}" for place in order]
            work.check_rows(lines, begin, lambda index: images.where(order[index]))
            shape = _first_shape(database, None) if check_size else None
            watch(begin)
            for index in range(begin, len(order)):
                place = order[index]
                name, where = images.name(place), images.where(place)
                made = form.record(images.data(place), where, name, images.label(place))
                if check_size:
                    shape = _check_shape(made.image, shape, where)
                database.put(f"{index:08d}_{name}".encode(), made.datum)
                watch(index + 1)
    return len(images)


def _form_values(form: ImageForm) -> dict[str, Any]:
    """The settings that a form is of, for people."""
    height, width = form.size if form.size is not None else (None, None)
    color = None if form.color is None else "color" if form.color else "gray"
    return {"width": width, "height": height, "channels": color,
            "encoded": form.encoded, "fit": form.fit}  # fmt: skip


def _watch(
    work: Partial, before: int, total: int, progress: Progress | None
) -> Callable[[int], None]:
    """Counts the records of a part that begins after ``before`` records."""

    def watch(done: int) -> None:
        work.done = before + done
        if progress is not None:
            progress(before + done, total)

    return watch


def _first_shape(database: DatabaseWriter, otherwise: Shape | None) -> Shape | None:
    """The shape of the images that are in a database."""
    first = database.first()
    return otherwise if first is None else decode(first, str(database.path)).shape


def _read(path: Path, where: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{where}: cannot be read: {error.strerror}") from error


def _check_shape(image: np.ndarray, shape: Shape | None, where: str) -> Shape:
    """The shape of the image, which must be that of those before."""
    if shape is not None and image.shape != shape:
        found, expected = ("x".join(map(str, each)) for each in (image.shape, shape))
        raise DataError(
            f"{where}: is {found}, but the first image is {expected}; give a width and a height, "
            "and gray or colour, to which all are brought"
        )
    return image.shape
