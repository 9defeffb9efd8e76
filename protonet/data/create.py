"""Making databases: the seed data set of images with constant gradients, and mean images."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from protonet.data.database import Database, DatabaseWriter
from protonet.data.datum import decode, encode_png, make_datum
from protonet.errors import DataError, UsageError
from protonet.formats.atomic import write_atomic
from protonet.formats.blobs import from_array

Progress = Callable[[int, int], None]
"""Called with the number of records done and of all."""


def gradient_image(width: int, height: int, slope_x: float, slope_y: float) -> np.ndarray:
    """A gray image whose brightness is a plane: uint8 (1, height, width).

    The formula is DIGITS' (test_lmdb_creator): slopes of +-0.5 in both directions just reach
    black and white.
    """
    y, x = np.mgrid[:height, :width].astype(np.float64)
    a, b = slope_x * 255 / width, slope_y * 255 / height
    plane = a * (x - width / 2) + b * (y - height / 2) + 127.5
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
    folder = Path(folder)
    if min(width, height, count, val_count) < 1:
        raise UsageError("width, height and the counts must be at least 1")
    if folder.exists():
        raise UsageError(f"{folder}: exists already; remove it or choose another name")
    generator = np.random.default_rng(seed)
    total = count + val_count
    done = 0
    with _removed_on_failure(folder):
        for part, size in (("train", count), ("val", val_count)):
            with (
                DatabaseWriter(folder / f"{part}_images") as images,
                DatabaseWriter(folder / f"{part}_labels") as labels,
            ):
                for index in range(size):
                    slopes = generator.random(2) - 0.5
                    image = gradient_image(width, height, *slopes)
                    key = str(index).encode()
                    images.put(key, make_datum(image, encoded=not raw))
                    labels.put(key, make_datum(slopes.astype(np.float32).reshape(1, 1, 2)))
                    done += 1
                    if progress is not None:
                        progress(done, total)
            _write_mean(folder, part)
        write_atomic(folder / "test.png", encode_png(gradient_image(width, height, 0.5, 0.5)))


@contextmanager
def _removed_on_failure(folder: Path) -> Iterator[None]:
    """Make the folder; when the block fails or is interrupted, remove it again."""
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise DataError(f"{folder}: cannot be made: {error.strerror}") from error
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def compute_mean(path: str | Path) -> np.ndarray:
    """The mean image of a database as float32 (channels, height, width).

    Raises:
        DataError: when records are damaged or differ in shape.
    """
    total: np.ndarray | None = None
    with Database(path) as database:
        for key, datum in database.items():
            where = database.where(key)
            image = decode(datum, where)
            if total is None:
                total = np.zeros(image.shape, np.float64)
            if image.shape != total.shape:
                raise DataError(f"{where}: is {image.shape}, but the first is {total.shape}")
            total += image
        assert total is not None
        return (total / len(database)).astype(np.float32)


def _write_mean(folder: Path, part: str) -> None:
    """``<part>_mean.binaryproto`` and, to look at, ``<part>_mean.png``."""
    mean = compute_mean(folder / f"{part}_images")
    write_atomic(folder / f"{part}_mean.binaryproto", from_array(mean[None]).SerializeToString())
    pixels = np.clip(np.rint(mean), 0, 255).astype(np.uint8)
    write_atomic(folder / f"{part}_mean.png", encode_png(pixels))
