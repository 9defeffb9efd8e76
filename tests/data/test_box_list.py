"""Lists of images with boxes: what is read, and what is told of a bad one."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from protonet.data.box_list import BoxList, Scene, read_boxes
from protonet.errors import DataError

TEXT = """# 0
/a.png
3 4 6
2
1 0 1 2 5 3
2 1 0 0 2 2
1
0 0 1 1
# 1 /b.png 3 6 4 0 0
"""


def read(folder: Path, text: str = TEXT, **settings: bool) -> BoxList:
    (folder / "list.txt").write_text(text)
    return read_boxes(
        folder / "list.txt", difficult=settings.get("difficult", False), root=str(folder)
    )


def test_what_is_read(tmp_path: Path) -> None:
    listed = read(tmp_path)
    first, second = listed.images
    assert (first.path, first.line, second.path, second.line) == ("/a.png", 2, "/b.png", 9)
    np.testing.assert_array_equal(first.scene.corners, [[1, 2, 5, 3], [0, 0, 2, 2]])
    np.testing.assert_array_equal(first.scene.kinds, [1, 2])
    np.testing.assert_array_equal(first.scene.ignored, [False, True])
    np.testing.assert_array_equal(first.scene.difficult, [False, False])
    np.testing.assert_array_equal(first.scene.regions, [[0, 0, 1, 1]])
    assert second.scene.corners.shape == second.scene.regions.shape == (0, 4)
    np.testing.assert_array_equal(listed.tall, [False, True])
    marked = read(tmp_path, "# 7 x 3 4 6 1 2 0 1 1 2 5 3.5 0", difficult=True).images[0].scene
    np.testing.assert_array_equal(marked.corners, [[1, 2, 5, 3.5]])
    assert (marked.ignored.tolist(), marked.difficult.tolist()) == ([False], [True])


def test_images_with_objects_may_come_more_often(tmp_path: Path) -> None:
    listed = read(tmp_path).repeated(3)
    assert [image.path for image in listed.images] == ["/a.png"] * 3 + ["/b.png"]
    np.testing.assert_array_equal(listed.tall, [False] * 3 + [True])
    ignored = read(tmp_path, "# 0 x 3 4 6 1 2 1 1 2 5 3 0").repeated(3)
    assert len(ignored.images) == 1


def test_pixels(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    listed = read(tmp_path)
    np.testing.assert_array_equal(listed.read(0), pixels[:, :, ::-1].transpose(2, 0, 1))
    assert listed.where(0) == f"{tmp_path}/list.txt:2: {tmp_path}/a.png"
    with pytest.raises(DataError, match=re.escape(f"list.txt:9: {tmp_path}/b.png: cannot be read")):
        listed.read(1)
    beside = read_boxes(tmp_path / "list.txt", difficult=False, root=".", folder=tmp_path)
    assert len(beside.bytes(0)) == (tmp_path / "a.png").stat().st_size


def test_boxes_move_and_are_mirrored() -> None:
    scene = Scene(np.array([[1.0, 2, 5, 3]]), *[np.zeros(1)] * 3, np.array([[0.0, 0, 2, 1]]))
    moved = scene.moved((2, 10), (1, -1))
    np.testing.assert_array_equal(moved.corners, [[3, 19, 11, 29]])
    np.testing.assert_array_equal(moved.regions, [[1, -1, 5, 9]])
    mirrored = scene.mirrored(8)
    np.testing.assert_array_equal(mirrored.corners, [[3, 2, 7, 3]])
    np.testing.assert_array_equal(mirrored.regions, [[6, 0, 8, 1]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "list.txt: names no image"),
        ("# 0 a", "list.txt:1: the file ends, but expected channels, height and width"),
        ("a b c", "list.txt:1: expected '# index' and the next image, got 'a b'"),
        ("# x a 3 4 6 0 0", "list.txt:1: expected '# index' and the next image, got '# x'"),
        ("# 0 a 1 4 6 0 0", "list.txt:1: expected 3 channels, got 1: images are read in colour"),
        ("# 0 a\n3 x 6 0 0", "list.txt:2: expected channels, height and width, got 'x'"),
        ("# 0 a 3 4 -6 0 0", "expected channels, height and width, got '-6'"),
        ("# 0 a 3 4 6\n1\n1 0 1 2 nan 3 0", "list.txt:3: expected class ignored x1 y1 x2 y2, got"),
        ("# 0 a 3 4 6\n1\n0 0 1 2 5 3 0", "list.txt:3: expected a class above 0, got 0"),
        ("# 0 a 3 4 6\n1\n1 0 1 2 0 3 0", "list.txt:3: expected class ignored x1 y1 x2 y2 with"),
        ("# 0 a 3 4 6 0\n1\n1 2 0 3", "list.txt:3: expected x1 y1 x2 y2 with x1 <= x2"),
        ("# 0 a 3 4 6 1e9 0", "expected the number of rows of class ignored x1 y1 x2 y2, got"),
        ("# 0 a 3 4 6 9999999 0", "the file ends, but expected class ignored x1 y1 x2 y2"),
        ("# 0 a 3 4 6 1 1 0 1 2 5 3", "the file ends, but expected the number of rows of x1"),
        ("# 0 a 3 4 6 1 1 0 1 2 5 3 0 1 2 3", "expected '# index' and the next image, got '1 2'"),
    ],
)
def test_lists_that_cannot_be(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=re.escape(message)):
        read(tmp_path, text)


def test_files_that_are_no_lists(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=re.escape("none.txt: cannot be read")):
        read_boxes(tmp_path / "none.txt", difficult=False)
    (tmp_path / "image").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(DataError, match="is not a list of boxes: it is not text"):
        read_boxes(tmp_path / "image", difficult=False)
