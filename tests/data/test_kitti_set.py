"""Data sets in KITTI's form."""

from __future__ import annotations

from pathlib import Path

import pytest

from protonet.data.detection_set import Division, NamedBox
from protonet.data.kitti_set import is_kitti, read_kitti
from protonet.errors import DataError, UsageError
from tests.data import detection_sets as sets


def test_a_folder_of_images_and_labels(tmp_path: Path) -> None:
    assert not is_kitti(tmp_path)
    root = sets.kitti(tmp_path)
    assert is_kitti(root)
    (root / "labels" / "c.txt").unlink()
    found = read_kitti(root)
    assert [(each.name, each.annotated) for each in found.files] == [
        ("images/a.png", True), ("images/b.png", True), ("images/c.png", False),
        ("images/d.png", True),
    ]  # fmt: skip
    details = (-1.57, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 9.0)
    box = NamedBox("dog", (0.0, 0.0, 40.0, 20.0), False, ":2", details)
    assert found.files[0].boxes[1] == box
    assert found.files[0].source == root / "labels" / "a.txt"
    assert (found.left_out, found.parts, found.classes) == (3, None, None)


def test_folders_of_train_and_val_divide_the_set(tmp_path: Path) -> None:
    sets.kitti(tmp_path / "train")
    sets.kitti(tmp_path / "val")
    assert is_kitti(tmp_path)
    found = read_kitti(tmp_path)
    assert found.parts is not None
    assert [each.name for each in found.parts["val"]] == [
        f"val/images/{stem}.png" for stem in "abcd"
    ]
    assert {part: len(files) for part, files in Division().parts(found).items()} == {
        "train": 4, "val": 4,
    }  # fmt: skip
    shared = Division(val_share=0.5).parts(found)
    assert {part: len(files) for part, files in shared.items()} == {"train": 4, "val": 4}


ZEROS = " 0 0 0 0 0 0 0"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\ncar 0 0 0 1 2 3", r"a\.txt:2: expected 15 words \(type .* got 7: 'car 0 0 0 1 2 3'"),
        ("car 0 0 y 1 2 3 4" + ZEROS, r"a\.txt:1: expected numbers behind the type .* got 'car 0"),
        ("car 0 0 0 1 2 x 4" + ZEROS, r"a\.txt:1: expected xmin ymin xmax ymax .* got '1 2 x 4'"),
    ],
)
def test_lines_of_another_form(tmp_path: Path, text: str, message: str) -> None:
    root = sets.kitti(tmp_path)
    (root / "labels" / "a.txt").write_text(text)
    with pytest.raises(DataError, match=message):
        read_kitti(root)


def test_files_that_do_not_fit_together(tmp_path: Path) -> None:
    root = sets.kitti(tmp_path)
    (root / "labels" / "a.txt").write_bytes(b"\xff")
    with pytest.raises(DataError, match=r"a\.txt: is not text"):
        read_kitti(root)
    sets.save(root / "images", "a", "jpg")
    with pytest.raises(DataError, match=r"a\.png: has the name of .*a\.jpg"):
        read_kitti(root)
    for path in (root / "images").glob("a.*"):
        path.unlink()
    with pytest.raises(DataError, match=r"labels/a\.txt: there is no image .*images/a"):
        read_kitti(root)
    for path in (root / "images").glob("*"):
        path.unlink()
    with pytest.raises(UsageError, match="images: has no image"):
        read_kitti(root)
    (root / "labels").rename(root / "boxes")
    with pytest.raises(UsageError, match=r"labels: there is no such folder; it has a \.txt"):
        read_kitti(root)
    with pytest.raises(UsageError, match="expected images and labels in it, or train/images"):
        read_kitti(root / "boxes")
