"""Label pictures of all kinds."""

from __future__ import annotations

import io
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from protonet.data.class_table import ClassTable
from protonet.data.label_images import LabelReader, RawLabels, colour_text, read_raw
from protonet.errors import DataError, UsageError

TABLE = ClassTable(("ground", "car"), ((0, 0, 0), (255, 255, 255)), 9, (255, 0, 0))
CLASSES = np.array([[0, 1, 9], [1, 0, 0]], np.uint8)
COLOURS = np.zeros((10, 3), np.uint8)
COLOURS[1], COLOURS[9] = 255, (255, 0, 0)


def png(picture: Image.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", **options)
    return buffer.getvalue()


def palette_picture() -> Image.Image:
    picture = Image.fromarray(CLASSES)
    picture.putpalette(COLOURS.tobytes())
    return picture


KINDS = {
    "palette": (palette_picture(), "numbers"),
    "gray": (Image.fromarray(CLASSES), "numbers"),
    "gray of 16 bits": (Image.fromarray(CLASSES.astype(np.uint16)), "numbers"),
    "gray and opacity": (Image.fromarray(np.stack([CLASSES, CLASSES], -1), "LA"), "numbers"),
    "colors": (Image.fromarray(COLOURS[CLASSES]), "colors"),
    "colors and opacity": (Image.fromarray(COLOURS[CLASSES]).convert("RGBA"), "colors"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_classes_of_every_kind_of_picture(kind: str) -> None:
    picture, coding = KINDS[kind]
    raw = read_raw(png(picture), "x.png")
    assert raw.colours == (coding == "colors")
    pixels: Counter[int] = Counter()
    found = LabelReader(TABLE, None, pixels).classes(raw, "x.png")
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, CLASSES)
    assert pixels == {0: 3, 1: 2, 9: 1}


def test_black_and_white_and_a_palette_by_their_colours() -> None:
    flat = LabelReader(TABLE, "colors")
    mask = Image.fromarray(CLASSES == 1)
    assert mask.mode == "1"
    raw = read_raw(png(mask), "x.png", "colors")
    np.testing.assert_array_equal(flat.classes(raw, "x.png"), CLASSES == 1)
    np.testing.assert_array_equal(read_raw(png(mask), "x.png").values, CLASSES == 1)
    gray = read_raw(png(Image.fromarray((CLASSES == 1) * np.uint8(255))), "x.png", "colors")
    np.testing.assert_array_equal(flat.classes(gray, "x.png"), CLASSES == 1)
    for options in ({}, {"transparency": b"\x00\xff\xff"}):
        raw = read_raw(png(palette_picture(), **options), "x.png", "colors")
        np.testing.assert_array_equal(flat.classes(raw, "x.png"), CLASSES)
    wide = read_raw(png(Image.fromarray(CLASSES.astype(np.uint16))), "x.png", "colors")
    assert wide.values[0, 1] == 65536 + 256 + 1


def test_a_palette_is_kept() -> None:
    raw = read_raw(png(palette_picture()), "x.png")
    assert raw.palette[:2] == ((0, 0, 0), (255, 255, 255))
    assert read_raw(png(Image.fromarray(CLASSES)), "x.png").palette == ()


def test_numbers_are_not_found_in_colours() -> None:
    with pytest.raises(DataError, match=r"x\.png: is a picture of colors \(RGB\), not of numbers"):
        read_raw(png(Image.fromarray(COLOURS[CLASSES])), "x.png", "numbers")
    with pytest.raises(DataError, match=r"x\.png: .*not an image"):
        read_raw(b"nothing", "x.png")


@pytest.mark.parametrize(
    ("values", "colours", "name", "message"),
    [
        (
            [[0, 7, 7], [1, 3, 0]], False, "x.png",
            r"x\.png: the number 7 of 2 pixel\(s\), the first in column 1, row 0, is of no class, "
            "as are 1 other numbers; the classes are 0 to 1, and 9 is ignored",
        ),
        (
            [[0, 0, 0], [0, 0x0A141E, 0]], True, "x.png",
            r"the color 10 20 30 of 1 pixel\(s\), the first in column 1, row 1, is of no class; "
            "see the colors",
        ),
        ([[0, 0, 2]], False, "x.JPG", "JPEG and WebP change values: label pictures must be"),
    ],
)  # fmt: skip
def test_what_is_of_no_class(
    values: list[list[int]], colours: bool, name: str, message: str
) -> None:
    raw = RawLabels(np.array(values), colours)
    with pytest.raises(DataError, match=message):
        LabelReader(TABLE).classes(raw, name)


def test_the_number_to_ignore_is_proposed() -> None:
    raw = RawLabels(np.array([[0, 255]]), colours=False)
    with pytest.raises(DataError, match="the classes are 0 to 1; --ignore 255 leaves such pixels"):
        LabelReader(ClassTable.of(["a", "b"])).classes(raw, "x.png")


def test_classes_of_one_colour() -> None:
    table = ClassTable(("a", "b"), ((1, 2, 3), (1, 2, 3)))
    with pytest.raises(UsageError, match="'a' and 'b' have the same color 1 2 3"):
        LabelReader(table, "colors")
    assert colour_text(0x010203) == "1 2 3"
