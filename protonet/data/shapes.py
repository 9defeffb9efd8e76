"""A data set for detection that is drawn: circles, squares and triangles on noise."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np

from protonet.data.annotate import annotated_datum, make_label_map, write_label_map
from protonet.data.boxes import Objects
from protonet.data.create import Progress
from protonet.data.datum import encode_image, make_datum
from protonet.data.detectnet_labels import label_record
from protonet.data.resumable import Settings, resumable_output
from protonet.data.set_file import write_file
from protonet.data.writer import DatabaseWriter
from protonet.errors import UsageError

SHAPES = ("circle", "square", "triangle")
"""The classes; their numbers begin at 1."""
TEST_IMAGES = 4
"""Images to predict on, that are in no database."""

_MOST = 4
"""Shapes in an image."""
_LEAST_SIDE = 16
"""Pixels of an image's side."""
_OVERLAP = 0.2
"""Of two boxes at most, as a share of the smaller one."""
_TRIES = 20
_NOISE = 80
"""Pixels of the ground are below this."""
_BRIGHT = 128
"""The strongest channel of a shape is at least this."""


class Drawn(NamedTuple):
    """An image, uint8 (3, height, width) in BGR, and its shapes: (class, left, top, right,
    bottom), in pixels, whose right and bottom are behind the last pixel.
    """

    image: np.ndarray
    shapes: list[tuple[int, int, int, int, int]]


def draw_shapes(generator: np.random.Generator, width: int, height: int) -> Drawn:
    """An image of 1 to 4 shapes of random class, colour, size and place on noise.

    Sizes are from an eighth to a half of the shorter side. A shape that finds no place where it
    hides little of the others is left out, the first one never.
    """
    image = generator.integers(0, _NOISE, (3, height, width), np.uint8)
    shapes: list[tuple[int, int, int, int, int]] = []
    shorter = min(width, height)
    for _ in range(int(generator.integers(1, _MOST + 1))):
        kind = int(generator.integers(len(SHAPES)))
        colour = generator.integers(0, 256, 3, np.uint8)
        colour[generator.integers(3)] = generator.integers(_BRIGHT, 256)
        for _ in range(_TRIES):
            side = int(generator.integers(max(4, shorter // 8), shorter // 2 + 1))
            left = int(generator.integers(0, width - side + 1))
            top = int(generator.integers(0, height - side + 1))
            box = (left, top, left + side, top + side)
            if all(_overlap(box, other[1:]) <= _OVERLAP for other in shapes):
                window = image[:, top : top + side, left : left + side]
                np.copyto(window, colour[:, None, None], where=shape_mask(SHAPES[kind], side))
                shapes.append((kind + 1, *box))
                break
    return Drawn(image, shapes)


def shape_mask(kind: str, side: int) -> np.ndarray:
    """The pixels of a shape that reaches all four edges of its box, (side, side)."""
    rows, columns = (np.mgrid[:side, :side] + 0.5) / side - 0.5
    mask: np.ndarray
    if kind == "circle":
        mask = rows**2 + columns**2 <= 0.25
    elif kind == "square":
        mask = np.ones((side, side), bool)
    else:  # the tip is at the top; the last row is as wide as the box
        mask = np.abs(columns) <= (rows + 0.5 + 0.5 / side) / 2
    return mask


def check_extents(width: int, height: int, count: int, val_count: int) -> None:
    """Raise UsageError for a drawn data set without images, or of too small ones."""
    if min(count, val_count) < 1 or min(width, height) < _LEAST_SIDE:
        raise UsageError(
            f"both counts must be 1 or more, width and height {_LEAST_SIDE} or more, got {count}, "
            f"{val_count} and {width}x{height}"
        )


def _overlap(box: tuple[int, ...], other: tuple[int, ...]) -> float:
    """The shared area as a share of the smaller box."""
    wide = min(box[2], other[2]) - max(box[0], other[0])
    high = min(box[3], other[3]) - max(box[1], other[1])
    smaller = min((box[2] - box[0]) ** 2, (other[2] - other[0]) ** 2)
    return max(0, wide) * max(0, high) / smaller


def create_shapes(
    folder: Path,
    width: int,
    height: int,
    count: int,
    val_count: int,
    seed: int | None = None,
    progress: Progress | None = None,
    *,
    detectnet: bool = False,
) -> None:
    """Make a data set of images with boxes in a new ``folder``.

    ``train_images`` and ``val_images`` contain records of AnnotatedDatum with PNG images,
    ``labelmap.prototxt`` the classes, ``test_name_size.txt`` the sizes of the validation images;
    ``test0.png`` and others are in no database, and their boxes are in ``test.json``. With
    ``detectnet`` there are ``train_boxes`` and ``val_boxes``, the boxes in DIGITS' form.

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
            _write_part(work.folder, part, drawn, written, detectnet=detectnet)
        sizes = "".join(f"val{index} {height} {width}\n" for index in range(val_count))
        write_file(work.folder / "test_name_size.txt", sizes.encode())
        _write_tests(work.folder, lambda: draw_shapes(generator, width, height))
        write_label_map(work.folder, make_label_map((name, name) for name in SHAPES))


def _write_part(
    folder: Path,
    part: str,
    drawn: Iterable[Drawn],
    written: Callable[[], None],
    *,
    detectnet: bool,
) -> None:
    with ExitStack() as stack:
        images = stack.enter_context(DatabaseWriter(folder / f"{part}_images"))
        labels = (
            stack.enter_context(DatabaseWriter(folder / f"{part}_boxes")) if detectnet else None
        )
        for index, each in enumerate(drawn):
            objects, key = _objects(each), f"{index:08d}_{part}{index}.png".encode()
            images.put(key, annotated_datum(make_datum(each.image, encoded=True), objects))
            if labels is not None:
                height, width = each.image.shape[1:]
                labels.put(key, label_record(objects, (height, width), _MOST + 1))
            written()


def _objects(drawn: Drawn) -> Objects:
    """The shapes in fractions of the image."""
    height, width = drawn.image.shape[1:]
    rows = np.array(drawn.shapes, np.float32)
    marks = np.zeros((len(rows), 3), np.float32)
    marks[:, 0] = rows[:, 0]
    return Objects(rows[:, 1:] / np.array([width, height] * 2, np.float32), marks)


def _write_tests(folder: Path, draw: Callable[[], Drawn]) -> None:
    """The images to predict on and, in JSON, the boxes of each in pixels."""
    truths = {}
    for index in range(TEST_IMAGES):
        drawn, name = draw(), f"test{index}.png"
        write_file(folder / name, encode_image(drawn.image))
        truths[name] = [
            {"label": kind, "name": SHAPES[kind - 1], "box": box} for kind, *box in drawn.shapes
        ]
    write_file(folder / "test.json", f"{json.dumps(truths, indent=1)}\n".encode())
