"""Lists of image files: what is read, and how every wrong line or file is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from protonet.data.image_list import ImageList
from protonet.data.resize import resize
from protonet.data.source import BatchSource
from protonet.data.transform import Transformer
from protonet.errors import DataError
from protonet.proto.caffe_pb2 import TEST, TRAIN, TransformationParameter


def picture(path: Path, height: int = 4, width: int = 5, seed: int = 0) -> np.ndarray:
    """A colour image in a file; its values as BGR planes."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels[:, :, ::-1].transpose(2, 0, 1)


def listed(folder: Path, text: str) -> Path:
    path = folder / "list.txt"
    path.write_bytes(text.encode())
    return path


def test_images_and_labels_in_the_order_of_the_list(tmp_path: Path) -> None:
    a, b = picture(tmp_path / "a.png", seed=1), picture(tmp_path / "b c.png", seed=2)
    images = ImageList(listed(tmp_path, "b c.png 7\r\n\na.png -3\nb c.png   0"), folder=tmp_path)
    assert len(images) == 3
    assert list(images.keys()) == [0, 1, 2]
    for key, (expected, label) in enumerate([(b, 7), (a, -3), (b, 0)]):
        image, found = images.image(key, color=True)
        np.testing.assert_array_equal(image, expected)
        assert found == label
    assert images.where(1) == f"{tmp_path}/list.txt:3: a.png"
    images.close()


def test_paths_stand_behind_the_root_as_it_is(tmp_path: Path) -> None:
    expected = picture(tmp_path / "x_a.png")
    images = ImageList(listed(tmp_path, "a.png 1"), root=f"{tmp_path}/x_")
    np.testing.assert_array_equal(images.image(0, color=True)[0], expected)


def test_the_working_directory_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    picture(tmp_path / "a.png", seed=1)
    expected = picture(tmp_path / "here" / "a.png", seed=2)
    monkeypatch.chdir(tmp_path / "here")
    images = ImageList(listed(tmp_path, "a.png 1"), folder=tmp_path)
    np.testing.assert_array_equal(images.image(0, color=True)[0], expected)


def test_every_image_is_resized(tmp_path: Path) -> None:
    a = picture(tmp_path / "a.png", 4, 5)
    b = picture(tmp_path / "b.png", 9, 3)
    images = ImageList(listed(tmp_path, "a.png 0\nb.png 1\n"), folder=tmp_path, size=(6, 7))
    for key, image in enumerate((a, b)):
        np.testing.assert_array_equal(images.image(key, color=True)[0], resize(image, 6, 7))


def test_gray(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    images = ImageList(listed(tmp_path, "a.png 0"), folder=tmp_path)
    assert images.image(0, color=False)[0].shape == (1, 4, 5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "list.txt: names no image"),
        ("\n \n", "list.txt: names no image"),
        ("a.png\n", "list.txt:1: expected a path, a space and a label, got 'a.png'"),
        ("a.png 1\n\n 5\n", "list.txt:3: expected a path, a space and a label, got '5'"),
        (
            "a.png 1\na.png cat\n",
            "list.txt:2: expected a whole number as the label after the last space, got 'cat'",
        ),
        (
            "a.png 1.5\n",
            "list.txt:1: expected a whole number as the label after the last space, got '1.5'",
        ),
        ("a.png 2147483648\n", "list.txt:1: the label 2147483648 is out of range"),
    ],
)
def test_lines_that_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        ImageList(listed(tmp_path, text))
    assert message in str(caught.value)


def test_lists_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent.txt: cannot be read: No such file"):
        ImageList(tmp_path / "absent.txt")
    (tmp_path / "list.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"list.txt: is not a list of images: it is not text"):
        ImageList(tmp_path / "list.txt")


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no image")
    picture(tmp_path / "cut.png", 40, 50)
    data = (tmp_path / "cut.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(data[: len(data) // 2])
    images = ImageList(listed(tmp_path, "absent.png 0\ntext.png 1\ncut.png 2\n"), folder=tmp_path)
    for key, message in enumerate(
        [
            r"list.txt:1: absent.png: cannot be read: No such file",
            r"list.txt:2: text.png: the data is not an image that can be decoded",
            r"list.txt:3: cut.png: the image is damaged or cut short",
        ]
    ):
        with pytest.raises(DataError, match=message):
            images.image(key)


def test_another_size_is_named(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", 4, 5)
    picture(tmp_path / "b.png", 4, 6)
    images = ImageList(listed(tmp_path, "a.png 0\nb.png 1\n"), folder=tmp_path)
    made = Transformer(TransformationParameter(mirror=True), TRAIN, (3, 4, 5))
    source = BatchSource(images, 2, made)
    with pytest.raises(
        DataError,
        match=r"list.txt:2: b.png: the image is 3x4x6, but the first one is 3x4x5; resize the "
        "files, or set new_height and new_width, or crop_size",
    ):
        source.next(np.empty((2, 3, 4, 5), np.float32))
    source.close()


@pytest.mark.parametrize("phase", [TRAIN, TEST])
@pytest.mark.parametrize("mirror", [False, True])
def test_a_crop_takes_images_of_any_size(tmp_path: Path, phase: int, mirror: bool) -> None:
    images = [
        picture(tmp_path / f"{i}.png", height, width, seed=i)
        for i, (height, width) in enumerate([(4, 5), (9, 3), (3, 8)])
    ]
    text = "".join(f"{i}.png {i}\n" for i in range(3))
    param = TransformationParameter(crop_size=3, mirror=mirror)
    made = Transformer(param, phase, (3, 4, 5), any_size=True)
    source = BatchSource(ImageList(listed(tmp_path, text), folder=tmp_path), 3, made)
    found, labels = np.empty((3, 3, 3, 3), np.float32), np.empty(3, np.float32)
    corners: list[set[tuple[int, int]]] = [set(), set(), set()]
    for _ in range(60):
        source.next(found, labels)
        np.testing.assert_array_equal(labels, [0, 1, 2])
        for index, (image, crop) in enumerate(zip(images, found, strict=True)):
            corners[index].add(corner(image, crop, mirror))
    if phase == TEST:
        assert corners == [{(0, 1)}, {(3, 0)}, {(0, 2)}]
    else:
        assert [len(each) for each in corners] == [6, 7, 6]
    source.close()


def corner(image: np.ndarray, crop: np.ndarray, mirror: bool) -> tuple[int, int]:
    """Where a crop was cut from."""
    _, height, width = image.shape
    for top in range(height - 2):
        for left in range(width - 2):
            window = image[:, top : top + 3, left : left + 3]
            if np.array_equal(window, crop) or (mirror and np.array_equal(window[..., ::-1], crop)):
                return top, left
    raise AssertionError("the crop is no part of the image")


def test_an_image_that_is_smaller_than_the_crop_is_named(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", 4, 5)
    picture(tmp_path / "b.png", 2, 6)
    images = ImageList(listed(tmp_path, "a.png 0\nb.png 1\n"), folder=tmp_path)
    made = Transformer(TransformationParameter(crop_size=3), TEST, (3, 4, 5), any_size=True)
    with pytest.raises(
        DataError, match=r"list.txt:2: b.png: the image is 3x2x6, but the crop needs at least 3x3x3"
    ):
        BatchSource(images, 2, made)


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes(b"\xef\xbb\xbfa.png 3\n")
    assert ImageList(tmp_path / "list.txt").name(0) == "a.png"


def test_a_label_that_is_not_whole_points_to_convert_vectors(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("a.png 2.5\n")
    with pytest.raises(DataError, match=r"got '2\.5'; numbers that are not whole are for convert-"):
        ImageList(tmp_path / "list.txt")
    (tmp_path / "list.txt").write_text("a.png cat\n")
    with pytest.raises(DataError, match=r"got 'cat'$"):
        ImageList(tmp_path / "list.txt")
