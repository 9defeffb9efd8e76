"""A data set for segmentation that is drawn: the images of ``data.shapes`` with the class of each
pixel.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from protonet.data.class_table import ClassTable, write_class_table
from protonet.data.create import Progress, write_mean
from protonet.data.datum import encode_image, make_datum
from protonet.data.label_pictures import label_picture
from protonet.data.resumable import Settings, resumable_output
from protonet.data.set_file import write_file
from protonet.data.shapes import (
    SHAPES,
    TEST_IMAGES,
    Drawn,
    check_extents,
    draw_shapes,
    shape_mask,
)
from protonet.data.writer import DatabaseWriter

TABLE = ClassTable.of(("background", *SHAPES))
"""The classes of the pixels."""


def pixel_classes(drawn: Drawn) -> np.ndarray:
    """The class of each pixel, uint8 (1, height, width): 0 for the ground. Where shapes overlap,
    the one drawn last is seen.
    """
    labels = np.zeros((1, *drawn.image.shape[1:]), np.uint8)
    for kind, left, top, right, bottom in drawn.shapes:
        labels[0, top:bottom, left:right][shape_mask(SHAPES[kind - 1], right - left)] = kind
    return labels


def create_segments(
    folder: Path,
    width: int,
    height: int,
    count: int,
    val_count: int,
    seed: int | None = None,
    progress: Progress | None = None,
) -> None:
    """Make a data set of images with the classes of their pixels in a new ``folder``.

    ``train_images`` and ``val_images`` contain PNG images, the same ones as those of
    ``create_shapes`` with this seed; ``train_labels`` and ``val_labels``, under the same keys, PNG
    images of one channel with the numbers of classes; ``class_table.csv`` the classes,
    ``train_mean.binaryproto`` the mean image. ``test0.png`` and others are in no database;
    ``test0_labels.png`` and so on are their classes, as pictures with a palette.

    Raises:
        UsageError: when the folder exists, a count is below 1, or a side below 16.
        DataError: when it cannot be written. Whatever was begun is removed.
    """
    check_extents(width, height, count, val_count)
    generator = np.random.default_rng(seed)
    done = itertools.count(1)

    def written() -> None:
        if progress is not None:
            progress(next(done), count + val_count)

    # Under its own name only once it is whole: a kill leaves nothing that would train.
    with resumable_output(folder, Settings({"count": count}), restart=True) as work:
        for part, size in (("train", count), ("val", val_count)):
            drawn = (draw_shapes(generator, width, height) for _ in range(size))
            _write_part(work.folder, part, drawn, written)
        for index in range(TEST_IMAGES):
            _write_test(work.folder, index, draw_shapes(generator, width, height))
        write_mean(work.folder, "train")
        write_class_table(work.folder, TABLE)


def _write_part(
    folder: Path, part: str, drawn: Iterable[Drawn], written: Callable[[], None]
) -> None:
    with (
        DatabaseWriter(folder / f"{part}_images") as images,
        DatabaseWriter(folder / f"{part}_labels") as labels,
    ):
        for index, each in enumerate(drawn):
            key = f"{index:08d}_{part}{index}.png".encode()
            images.put(key, make_datum(each.image, encoded=True))
            labels.put(key, make_datum(pixel_classes(each), encoded=True))
            written()


def _write_test(folder: Path, index: int, drawn: Drawn) -> None:
    """An image to predict on, and its classes as a picture."""
    write_file(folder / f"test{index}.png", encode_image(drawn.image))
    write_file(folder / f"test{index}_labels.png", label_picture(pixel_classes(drawn), TABLE))
