"""Making databases: the seed data set of images with constant gradients, and mean images."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np

from protonet.blob import Shape
from protonet.data.database import Database
from protonet.data.datum import decode, encode_image, make_datum
from protonet.data.resumable import Settings, resumable_output
from protonet.data.writer import DatabaseWriter
from protonet.errors import DataError, FormatError, UsageError
from protonet.formats.atomic import write_atomic
from protonet.formats.blobs import from_array
from protonet.ranks.pool import IN_TURN, Pool

_CHUNK = 32
"""Records that are summed at a time: part of what a mean of floats is, for any number of ranks."""

Progress = Callable[[int, int], None]
"""Called with the number of records done and of all."""


def staged(progress: Progress | None, what: str) -> Progress | None:
    """The progress of another stage of the work, where ``progress`` tells of stages."""
    stage: Callable[[str], Progress] | None = getattr(progress, "stage", None)
    return None if stage is None else stage(what)


def gradient_image(width: int, height: int, slope_x: float, slope_y: float) -> np.ndarray:
    """A gray image whose brightness is a plane: uint8 (1, height, width).

    The formula is DIGITS' (test_lmdb_creator): slopes of +-0.5 in both directions just reach
    black and white.
    """
    y, x = np.mgrid[:height, :width].astype(np.float64)
    a, b = slope_x * 255 / width, slope_y * 255 / height
    plane: np.ndarray = a * (x - width / 2) + b * (y - height / 2) + 127.5
    return plane.astype(np.uint8)[None]


def create_gradients(
    folder: str | Path,
    width: int,
    height: int,
    count: int,
    val_count: int,
    seed: int | None = None,
    raw: bool = False,
    progress: Progress | None = None,
) -> None:
    """Make the seed data set in a new ``folder``.

    ``train_images`` and ``val_images`` hold gray images (PNG, or bytes with ``raw``), and
    ``train_labels`` and ``val_labels`` their two slopes as float_data 1x1x2 under the same keys.
    Each part has a mean image as .binaryproto and .png; ``test.png`` has both slopes 0.5.

    Raises:
        UsageError: when the folder exists or a number is below 1.
        DataError: when it cannot be written. Whatever was begun is removed.
    """
    if min(width, height, count, val_count) < 1:
        raise UsageError(
            f"width, height and both counts must be 1 or more, got {width}x{height}, {count} "
            f"and {val_count}"
        )
    generator = np.random.default_rng(seed)
    drawn = (_draw(generator, width, height) for _ in itertools.count())
    done = itertools.count(1)

    def written() -> None:
        if progress is not None:
            progress(next(done), count + val_count)

    settings = Settings({"width": width, "height": height, "count": count})
    # Under its own name only once it is whole: a kill leaves nothing that would train.
    with resumable_output(Path(folder), settings, restart=True) as work:
        for part, size in (("train", count), ("val", val_count)):
            _write_gradients(work.folder, part, itertools.islice(drawn, size), written, raw=raw)
            write_mean(work.folder, part, progress)
        _write(work.folder / "test.png", encode_image(gradient_image(width, height, 0.5, 0.5)))


def _draw(generator: np.random.Generator, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """An image of a plane, and its two slopes."""
    slopes = generator.random(2) - 0.5
    return gradient_image(width, height, *slopes), slopes


def _write_gradients(
    folder: Path,
    part: str,
    drawn: Iterable[tuple[np.ndarray, np.ndarray]],
    written: Callable[[], None],
    *,
    raw: bool,
) -> None:
    """Write the images and slopes of one part."""
    with (
        DatabaseWriter(folder / f"{part}_images") as images,
        DatabaseWriter(folder / f"{part}_labels") as labels,
    ):
        for index, (image, slopes) in enumerate(drawn):
            key = str(index).encode()
            images.put(key, make_datum(image, encoded=not raw))
            labels.put(key, make_datum(slopes.astype(np.float32).reshape(1, 1, 2)))
            written()


def compute_mean(
    path: str | Path, progress: Progress | None = None, pool: Pool = IN_TURN
) -> np.ndarray:
    """The mean image of a database as float32 (channels, height, width), summed in float64 by the
    ranks of ``pool``.

    Sums of bytes are exact. Those of float32 round: 32 records are summed, then these sums, in
    their order; so they are the same on any number of ranks.

    Raises:
        DataError: for what is no database, or naming the key of a record that is damaged or has
            another shape than the first.
    """
    with Database(path) as database:
        key, datum = database.first()
        total = np.zeros(decode(datum, database.where(key)).shape, np.float64)
        keys, done = database.keys(), 0
        chunks = (keys[at : at + _CHUNK] for at in range(0, len(keys), _CHUNK))
        for part in pool.map(partial(_summing, Path(path), total.shape), chunks):
            total += part
            done = min(done + _CHUNK, len(keys))
            if progress is not None:
                progress(done, len(keys))
        return (total / len(keys)).astype(np.float32)


@contextmanager
def _summing(path: Path, shape: Shape) -> Iterator[Callable[[Sequence[bytes]], np.ndarray]]:
    """A function that sums the records of keys, which must have this shape."""
    with Database(path) as database:

        def sum_of(keys: Sequence[bytes]) -> np.ndarray:
            total = np.zeros(shape, np.float64)
            for key in keys:
                image = decode(database.get(key), database.where(key))
                if image.shape != shape:
                    found, expected = ("x".join(map(str, each)) for each in (image.shape, shape))
                    raise DataError(
                        f"{database.where(key)}: the record is {found}, but the first one is "
                        f"{expected}; a mean image needs records of one shape"
                    )
                total += image
            return total

        yield sum_of


def channel_means(path: str | Path, progress: Progress | None = None) -> list[float]:
    """The mean of each channel over all pixels of a database, whose images may differ in size.

    Raises:
        DataError: for what is no database, or naming the key of a record that is damaged or has
            other channels than the first.
    """
    total, count = np.zeros(0), 0
    with Database(path) as database:
        for done, (key, datum) in enumerate(database, 1):
            where = database.where(key)
            image = decode(datum, where)
            sums = image.sum(axis=(1, 2), dtype=np.float64)
            total = total if total.size else np.zeros_like(sums)
            if sums.shape != total.shape:
                raise DataError(
                    f"{where}: the record has {len(sums)} channel(s), but the first one "
                    f"{len(total)}; give the mean values in transform_param, or --mean none"
                )
            total += sums
            count += image[0].size
            if progress is not None:
                progress(done, len(database))
    means: list[float] = (total / count).astype(np.float32).tolist()
    return means


def write_mean(
    folder: Path, part: str, progress: Progress | None = None, pool: Pool = IN_TURN
) -> None:
    """``<part>_mean.binaryproto`` and, to look at, ``<part>_mean.png``; ``progress`` is that of the
    work whose last stage this is.
    """
    mean = compute_mean(folder / f"{part}_images", staged(progress, "images averaged"), pool)
    message = from_array(mean[None])
    _write(folder / f"{part}_mean.binaryproto", message.SerializeToString())
    pixels = np.clip(np.rint(mean), 0, 255).astype(np.uint8)
    _write(folder / f"{part}_mean.png", encode_image(pixels))


def _write(path: Path, content: bytes) -> None:
    try:
        write_atomic(path, content)
    except FormatError as error:
        raise DataError(str(error)) from error
