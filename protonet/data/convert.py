"""Image files to databases: with classes, as convert_imageset, or with vectors of numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from protonet.blob import Shape
from protonet.data.create import Progress, write_mean
from protonet.data.datum import decode, make_datum
from protonet.data.image_list import ImageList
from protonet.data.record_format import Encoder, ListedFile, RecordFormat, StoredRecord
from protonet.data.resumable import ResumableOutput, Settings, resumable_output
from protonet.data.vector_table import VectorTable
from protonet.data.writer import DatabaseWriter
from protonet.errors import DataError, UsageError
from protonet.ranks.pool import IN_TURN, Pool, opening


def convert_vectors(
    table: VectorTable,
    folder: Path,
    form: RecordFormat,
    *,
    root: Path | None = None,
    val_share: float = 0.0,
    shuffle: bool = False,
    seed: int = 0,
    backend: str = "lmdb",
    restart: bool = False,
    progress: Progress | None = None,
    pool: Pool = IN_TURN,
) -> dict[str, int]:
    """Make paired databases in a new ``folder``: train_images, train_labels, train_mean and, with
    a ``val_share``, the same of val. Returns the images of each part.

    Images are looked up in ``root``, by default next to the table. With ``shuffle`` they are put in
    an order that depends on the seed only; the last ``val_share`` of them is for validation.

    An interrupted conversion resumes at the next call with the same arguments, with the same result
    (``data.resumable``); the table may have changed after the rows that are written. ``restart``
    starts over. ``progress`` is called first with what is there. The ranks of ``pool`` read and
    encode images.

    Raises:
        UsageError: when the folder exists, was started with other settings, or a share leaves
            nothing to train on.
        DataError: for images that cannot be used or differ in shape: names the table's line.
    """
    parts = _parts(_order(len(table.rows), shuffle, seed), val_share)
    base = table.path.parent if root is None else root
    settings = _settings(form, base, shuffle, seed, backend, {"val-share": val_share})
    with resumable_output(folder, settings, restart=restart) as work:
        _Pairs(table, base, form, backend, pool).write(work, parts, progress)
    return {part: len(places) for part, places in parts.items()}


@dataclass(frozen=True)
class _Pairs:
    """Rows of a table on their way into databases of images and of labels."""

    table: VectorTable
    base: Path
    form: RecordFormat
    backend: str
    pool: Pool

    def write(
        self, work: ResumableOutput, parts: Mapping[str, Sequence[int]], progress: Progress | None
    ) -> None:
        """Write what is not there yet of each part: databases, then the mean."""
        shape: Shape | None = None
        before = 0
        for part, places in parts.items():
            watch = _watch(work, before, len(self.table.rows), progress)
            shape = self._write_part(work, part, places, shape, watch)
            # The picture of the mean is the last file of a part.
            if not (work.folder / f"{part}_mean.png").exists():
                write_mean(work.folder, part, progress, self.pool)
            before += len(places)

    def _write_part(
        self,
        work: ResumableOutput,
        part: str,
        places: Sequence[int],
        shape: Shape | None,
        watch: Callable[[int], None],
    ) -> Shape | None:
        """The two databases of a part; ``shape`` is that of the images before, and returned."""
        stem = work.folder / part
        rows = [self.table.rows[place] for place in places]
        with (
            DatabaseWriter(Path(f"{stem}_images"), backend=self.backend, resume=True) as images,
            DatabaseWriter(Path(f"{stem}_labels"), backend=self.backend, resume=True) as labels,
        ):
            # Records are committed in their order: so many, from the first, are there. One of the
            # two may be ahead; what it has is written once more.
            begin = min(len(images), len(labels))
            lines = [",".join((name, *map(repr, numbers))) for _, name, numbers in rows]
            if work.check_rows(lines, begin, lambda index: self._where(places[index]), part):
                # The mean of a part that was whole before the table grew.
                Path(f"{stem}_mean.png").unlink(missing_ok=True)
            shape = _first_shape(images, shape)
            watch(begin)
            made = self.pool.map(opening(Encoder(self.form)), map(self._file, places[begin:]))
            for index, (found, value) in enumerate(made, begin):
                key, numbers = f"{index:08d}".encode(), rows[index][2]
                shape = _check_shape(found, shape, self._where(places[index]))
                images.put(key, value)
                labels.put(key, make_datum(np.array(numbers, np.float32).reshape(1, 1, -1)))
                watch(index + 1)
        return shape

    def _file(self, place: int) -> ListedFile:
        name = self.table.rows[place][1]
        return ListedFile(str(self.base / name), name, self._where(place))

    def _where(self, place: int) -> str:
        line, name, _ = self.table.rows[place]
        return f"{self.table.path}:{line}: {name}"


def convert_images(
    images: ImageList,
    path: Path,
    form: RecordFormat,
    *,
    shuffle: bool = False,
    seed: int = 0,
    check_size: bool = False,
    backend: str = "lmdb",
    restart: bool = False,
    progress: Progress | None = None,
    pool: Pool = IN_TURN,
) -> int:
    """Make a database of the images that a list names, as Caffe's convert_imageset does; returns
    their number. Keys are the place and the name: ``00000012_cats/7.png``.

    An interrupted conversion resumes as in ``convert_vectors``, and so are images shared out.

    Raises:
        UsageError: when the database exists, or was started with other settings.
        DataError: for images that cannot be used or, with ``check_size``, differ in shape.
    """
    order = _order(len(images), shuffle, seed)
    settings = _settings(
        form, Path(images.root), shuffle, seed, backend, {"check-size": check_size}
    )
    with resumable_output(path, settings, restart=restart) as work:
        watch = _watch(work, 0, len(images), progress)
        with DatabaseWriter(work.folder, backend=backend, resume=True) as database:
            begin = len(database)
            lines = [f"{images.name(place)} {images.label(place)}" for place in order]
            work.check_rows(lines, begin, lambda index: images.where(order[index]))
            made = pool.map(opening(Encoder(form)), map(images.file, order[begin:]))
            _write_images(database, images, order, made, watch, check_size=check_size)
    return len(images)


def _write_images(
    database: DatabaseWriter,
    images: ImageList,
    order: Sequence[int],
    made: Iterable[StoredRecord],
    watch: Callable[[int], None],
    *,
    check_size: bool,
) -> None:
    """Write the records of the images that are not there yet."""
    begin = len(database)
    first = _first_shape(database, None) if check_size else None
    watch(begin)
    for index, (shape, value) in enumerate(made, begin):
        place = order[index]
        if check_size:
            first = _check_shape(shape, first, images.where(place))
        database.put(f"{index:08d}_{images.name(place)}".encode(), value)
        watch(index + 1)


def _order(count: int, shuffle: bool, seed: int) -> Sequence[int]:
    """The places of all, drawn where they are shuffled."""
    if not shuffle:
        return range(count)
    order: list[int] = np.random.default_rng(seed).permutation(count).tolist()
    return order


def _parts(order: Sequence[int], val_share: float) -> dict[str, Sequence[int]]:
    """The places of train and, behind them, of val where it has any."""
    count = len(order)
    held = round(count * val_share)
    if not 0 <= val_share < 1 or held == count:
        raise UsageError(f"a validation share of {val_share:g} leaves no image of {count} to train")
    parts = {"train": order[: count - held], "val": order[count - held :]}
    return {part: places for part, places in parts.items() if places}


def _settings(
    form: RecordFormat, root: Path, shuffle: bool, seed: int, backend: str, own: Mapping[str, Any]
) -> Settings:
    """What decides a database; ``own`` has what only one of the conversions knows."""
    drawn = {"shuffle": shuffle, "seed": seed if shuffle else None}
    return Settings(
        {**form.values(), "root": str(root.resolve()), **own, **drawn, "backend": backend}
    )


def _watch(
    work: ResumableOutput, before: int, total: int, progress: Progress | None
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


def _check_shape(own: Shape, shape: Shape | None, where: str) -> Shape:
    """The shape of an image, which must be that of those before."""
    if shape is not None and own != shape:
        found, expected = ("x".join(map(str, each)) for each in (own, shape))
        raise DataError(
            f"{where}: is {found}, but the first image is {expected}; give a width and a height, "
            "and gray or colour, to convert all of them"
        )
    return own
