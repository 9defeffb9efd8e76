"""Lists of image files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.data.datum import encode_image
from protonet.data.image_list import ImageList
from protonet.data.resize import resize
from protonet.errors import DataError

IMAGE = np.random.default_rng(0).integers(0, 256, (3, 5, 7), np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a b.png").write_bytes(encode_image(IMAGE))
    (tmp_path / "gray.png").write_bytes(encode_image(IMAGE[0]))
    (tmp_path / "text.png").write_text("no image")
    return tmp_path


def listed(folder: Path, text: str, **settings: object) -> ImageList:
    (folder / "list.txt").write_text(text)
    return ImageList(folder / "list.txt", **settings)  # type: ignore[arg-type]


def test_the_last_space_parts_name_and_label(folder: Path) -> None:
    images = listed(folder, "a b.png 3\n\ngray.png -1\n")
    assert len(images) == 2
    assert list(images.keys()) == [0, 1]
    image, label = images.read(0)
    np.testing.assert_array_equal(image, IMAGE)
    assert label == 3
    gray, label = images.read(1, color=True)
    assert (gray.shape, label) == ((3, 5, 7), -1)
    assert images.read(0, color=False)[0].shape == (1, 5, 7)
    images.close()


def test_the_root_is_put_before_the_name(folder: Path) -> None:
    images = listed(folder, "b.png 1", root=f"{folder}/a ")
    np.testing.assert_array_equal(images.read(0)[0], IMAGE)


def test_images_are_brought_to_a_size(folder: Path) -> None:
    image, _ = listed(folder, "a b.png 3", height=9, width=4).read(0)
    expected = resize(IMAGE.transpose(1, 2, 0).astype(np.float32), 9, 4).transpose(2, 0, 1)
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, np.rint(expected))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the list is empty: it names no image"),
        ("a.png 1\nb.png", ":2: expected a file, a space and a whole number, got 'b.png'"),
        ("a.png 1.5", ":1: expected a file, a space and a whole number, got 'a.png 1.5'"),
        ("7", ":1: expected a file, a space and a whole number, got '7'"),
    ],
)
def test_lists_that_cannot_be(folder: Path, text: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        listed(folder, text)
    assert message in str(caught.value)
    assert str(folder / "list.txt") in str(caught.value)


def test_files_that_cannot_be(folder: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.txt: cannot be read as a list of images"):
        ImageList(folder / "nowhere.txt")
    (folder / "binary.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="cannot be read as a list"):
        ImageList(folder / "binary.txt")
    images = listed(folder, "nowhere.png 1\ntext.png 2")
    with pytest.raises(DataError, match=r"list\.txt:1: nowhere\.png: cannot be read: No such"):
        images.read(0)
    with pytest.raises(DataError, match=r"list\.txt:2: text\.png"):
        images.read(1)
