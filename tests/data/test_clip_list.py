"""Lists of clips: lines, frames, mistakes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from protonet.data.clip_list import ClipList
from protonet.errors import DataError


def frames(folder: Path, numbers: range, size: tuple[int, int] = (7, 5)) -> None:
    """Gray files whose value is 10 times their number; a JPEG of one value keeps it."""
    folder.mkdir(exist_ok=True)
    for number in numbers:
        Image.new("L", size, 10 * number).save(folder / f"{number:06d}.jpg")


def listed(folder: Path, text: str, **settings: object) -> ClipList:
    (folder / "list.txt").write_text(text)
    return ClipList(folder / "list.txt", folder=folder, **settings)


def test_a_clip_is_frames_beside_each_other_in_each_channel(tmp_path: Path) -> None:
    frames(tmp_path / "my clip", range(1, 9))
    clips = listed(tmp_path, "my clip 2 5\n\nmy clip 1 -1\n", length=3, step=2)
    assert len(clips) == 2
    clip, label = clips.image(0, color=True)
    assert (clip.shape, label) == ((9, 5, 7), 5)
    assert clip[:, 0, 0].tolist() == [20, 40, 60] * 3
    clip, label = clips.image(1, color=False)
    assert (clip[:, 0, 0].tolist(), label) == ([10, 30, 50], -1)
    assert clips.where(1) == f"{tmp_path / 'list.txt'}:3: my clip"


def test_frames_are_resized(tmp_path: Path) -> None:
    frames(tmp_path / "a", range(2))
    clip, _ = listed(tmp_path, "a 0 1", length=2, size=(4, 3)).image(0)
    assert clip.shape == (2, 4, 3)
    np.testing.assert_array_equal(clip[1], 10)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a 1\n", ":1: expected a folder, the number of the first frame and a label, got 'a 1'"),
        ("a 1 2\na x 2\n", ":2: expected a folder, the number of the first frame and a label"),
        ("a -1 2\n", ":1: expected a first frame of 0 or more and a label of 32 bits, got -1"),
        ("a 1 3000000000\n", ":1: expected a first frame of 0 or more and a label of 32 bits"),
        ("\n", ": names no clip"),
    ],
)
def test_lists_that_cannot_be(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        listed(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path / 'list.txt'}{message}")


def test_a_list_that_is_absent_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.txt: cannot be read: No such file"):
        ClipList(tmp_path / "none.txt")
    (tmp_path / "list.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="is not a list of clips: it is not text"):
        ClipList(tmp_path / "list.txt")


def test_frames_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    frames(tmp_path / "a", range(1, 3))
    with pytest.raises(DataError, match=r"list\.txt:1: a/000003\.jpg: cannot be read: No such"):
        listed(tmp_path, "a 1 0", length=3).image(0)
    frames(tmp_path / "a", range(3, 4), (9, 5))
    with pytest.raises(DataError, match="frame 3 is 5x9, but the first is 5x7; resize the frames"):
        listed(tmp_path, "a 1 0", length=3).image(0)
