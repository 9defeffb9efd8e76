"""Boxes in pixels to objects of records."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from protonet.data.datum import encode_image
from protonet.data.detection_boxes import Boxes, image_size, measure_all
from protonet.data.detection_set import AnnotatedFile, NamedBox
from protonet.data.record_format import RecordFormat
from protonet.errors import DataError

FORM = RecordFormat()
HEIGHT, WIDTH = 20, 40


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    path.write_bytes(encode_image(np.zeros((3, HEIGHT, WIDTH), np.uint8)))
    return path


def file(path: Path, *corners: tuple[float, float, float, float], name: str = "car",
         size: tuple[int, int] | None = None) -> AnnotatedFile:  # fmt: skip
    boxes = tuple(NamedBox(name, each, False, f":{n}") for n, each in enumerate(corners, 1))
    return AnnotatedFile(path, path.name, Path("a.txt"), boxes, ":7", size)


@pytest.mark.parametrize(
    ("corners", "message"),
    [
        ((5, 5, 5, 9), r"a\.txt:1: the box 5 5 5 9 is empty: expected xmin < xmax and ymin < ymax"),
        ((5, 9, 7, 5), r"a\.txt:1: the box 5 9 7 5 is empty"),
        ((0, 0, 42, 9), r"a\.txt:1: the box 0 0 42 9 exceeds the image of width 40 and height 20;"),
        ((-2, 0, 4, 9), "exceeds the image .*; --repair clips boxes to their images"),
        ((0, -1.5, 4, 9), "exceeds"),
        ((0, 0, 4, 22), "exceeds"),
        ((40, 0, 40.5, 9), "is not in the image"),
        ((0, 0, np.nan, 9), "is not of finite numbers"),
        ((0, 0, np.inf, 9), "is not of finite numbers"),
    ],
)
def test_boxes_that_cannot_be_used(
    image: Path, corners: tuple[float, float, float, float], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        Boxes({"car": 1}, FORM).measured(file(image, corners))


def test_boxes_are_repaired_and_counted(image: Path) -> None:
    boxes = Boxes({"car": 4}, FORM, repair=True)
    given = file(image, (-10, 5, 20, 30), (5, 5, 5, 9), (50, 0, 60, 9), (0, 0, 40, 20))
    found = boxes.measured(given)
    np.testing.assert_array_equal(found.objects.boxes, [[0, 0.25, 0.5, 1], [0, 0, 1, 1]])
    np.testing.assert_array_equal(found.objects.marks, [[4, 0, 0], [4, 0, 0]])
    assert boxes.counts == {"boxes clipped to their images": 1, "empty boxes left out": 2}


def test_what_is_rounded_is_clipped(image: Path) -> None:
    boxes = Boxes({"car": 1}, FORM)
    (found,) = measure_all([file(image, (-0.5, 0, 40.25, 21))], boxes)
    np.testing.assert_array_equal(found.objects.boxes, [[0, 0, 1, 1]])
    assert boxes.counts == {"boxes clipped to their images": 1}


def test_other_classes(image: Path) -> None:
    other = file(image, (1, 1, 2, 2), name="cat")
    with pytest.raises(DataError, match=r"a\.txt:1: the label map has no class 'cat'.*car"):
        Boxes({"car": 1}, FORM).measured(other)
    boxes = Boxes({"car": 1}, FORM, only=True)
    assert len(boxes.measured(other).objects.boxes) == 0
    assert boxes.counts == {"boxes of other classes left out": 1}


def test_boxes_are_fractions_of_the_size_that_annotations_tell(image: Path) -> None:
    boxes = Boxes({"car": 1}, FORM)
    found = boxes.measured(file(image, (10, 10, 50, 40), size=(40, 80)))
    np.testing.assert_array_equal(found.objects.boxes, [[0.125, 0.25, 0.625, 1]])
    assert found.size == (HEIGHT, WIDTH)
    assert boxes.counts == {"images of another size than their annotations tell": 1}


def test_sizes_are_of_upright_images(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "x" * 60000
    Image.new("RGB", (40, 20)).save(path, exif=exif)
    assert image_size(path, file(path).where) == (40, 20)
    Image.new("RGB", (40, 20)).save(path, comment=b"y" * 65000, exif=exif)
    assert image_size(path, file(path).where) == (40, 20)
    path.write_bytes(b"no image")
    with pytest.raises(DataError, match=r"a\.txt:7: a\.jpg: the data is not an image"):
        image_size(path, file(path).where)
    path.unlink()
    with pytest.raises(DataError, match=r"a\.txt:7: a\.jpg: cannot be read: No such file"):
        image_size(path, file(path).where)
