"""Lists of videos in segments: what is read, and what is told of a bad one."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from protonet.data.resize import resize
from protonet.data.segment_list import SegmentList
from protonet.errors import DataError

FRAMES = np.random.default_rng(0).integers(0, 256, (6, 5, 7, 3), np.uint8)


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    (tmp_path / "a b").mkdir()
    for number, frame in enumerate(FRAMES, 1):
        Image.fromarray(frame).save(tmp_path / "a b" / f"image_{number:04d}.png")
        for axis, plane in zip("xy", frame.transpose(2, 0, 1), strict=False):
            Image.fromarray(plane).save(tmp_path / "a b" / f"flow_{axis}_{number:02d}.png")
    (tmp_path / "list.txt").write_text("a b 6 3\n\na b 2 -1\n")
    return tmp_path


def listed(folder: Path, pattern: str = "image_%04d.png", **settings: object) -> SegmentList:
    given = {"pattern": pattern, "flow": False, "folder": folder, **settings}
    return SegmentList(folder / "list.txt", **given)


def test_segments_of_colour_images(videos: Path) -> None:
    made = listed(videos, length=2)
    assert (len(made), made.planes, made.frames(0), made.label(0), made.label(1)) == (
        2,
        3,
        6,
        3,
        -1,
    )
    planes = FRAMES[..., ::-1].transpose(0, 3, 1, 2)
    found = made.read(0, [0, 3])
    np.testing.assert_array_equal(found, planes[[0, 1, 3, 4]].reshape(12, 5, 7))
    small = listed(videos, size=(3, 4)).read(0, [1])
    np.testing.assert_array_equal(small, resize(planes[1], 3, 4))
    assert listed(videos, color=False, length=2).read(0, [0]).shape == (2, 5, 7)


def test_segments_of_flow_have_two_planes_a_frame(videos: Path) -> None:
    made = listed(videos, "flow_%c_%02d.png", flow=True, length=2)
    assert made.planes == 2
    found = made.read(0, [2])
    expected = FRAMES[2:4].transpose(0, 3, 1, 2)[:, :2].reshape(4, 5, 7)
    np.testing.assert_array_equal(found, expected)


def test_frames_that_cannot_be_read(videos: Path) -> None:
    made = listed(videos, length=2)
    with pytest.raises(DataError, match=re.escape("list.txt:1: a b/image_0007.png: cannot be")):
        made.read(0, [5])
    Image.fromarray(FRAMES[0, :3]).save(videos / "a b" / "image_0002.png")
    with pytest.raises(DataError, match="frame 2 is 3x7, but the first is 5x7; resize the frames"):
        made.read(0, [0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a 3", "list.txt:1: expected a folder, the number of its frames and a label, got 'a 3'"),
        ("a x 3", "list.txt:1: expected a folder, the number of its frames and a label"),
        ("a 0 3", "list.txt:1: expected frames of 1 or more and a label of 32 bits, got 0 and 3"),
        ("a 1 99999999999", "a label of 32 bits, got 1 and 99999999999"),
        ("", "list.txt: names no video"),
    ],
)
def test_lists_that_cannot_be(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "list.txt").write_text(text)
    with pytest.raises(DataError, match=re.escape(message)):
        listed(tmp_path)
