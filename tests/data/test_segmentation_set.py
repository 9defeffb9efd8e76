"""Pairs of images and label pictures."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from protonet.data.segmentation_set import (
    LabelledImage,
    is_voc,
    label_folder,
    read_folders,
    read_pair_list,
    read_voc,
)
from protonet.errors import DataError, UsageError
from tests.data import segmentation_sets as sets


def names(pairs: object) -> list[tuple[str, str]]:
    return [(pair.name, pair.labels.name) for pair in pairs]


def test_folders_beside_each_other_or_divided(tmp_path: Path) -> None:
    sets.folders(tmp_path / "one", "ab")
    found = read_folders(tmp_path / "one", None, only_pairs=False)
    assert names(found.files) == [("images/a.png", "a.png"), ("images/b.png", "b.png")]
    assert found.parts is None
    (tmp_path / "one" / "labels").rename(tmp_path / "one" / "masks")
    assert names(read_folders(tmp_path / "one", None, only_pairs=False).files)
    assert label_folder(tmp_path / "one" / "images") == tmp_path / "one" / "masks"
    sets.folders(tmp_path / "two" / "train", "ab")
    sets.folders(tmp_path / "two" / "val", "c")
    parts = read_folders(tmp_path / "two", None, only_pairs=False).parts
    assert parts is not None
    assert {part: names(pairs) for part, pairs in parts.items()} == {
        "train": [("train/images/a.png", "a.png"), ("train/images/b.png", "b.png")],
        "val": [("val/images/c.png", "c.png")],
    }


def test_a_folder_of_labels_may_be_anywhere(tmp_path: Path) -> None:
    """Also in the folder of the images, and with folders below."""
    sets.write_image(tmp_path / "day" / "a.png", 0)
    sets.write_image(tmp_path / "night" / "a.png", 1)
    for name in ("day", "night"):
        sets.write_labels(tmp_path / "classes" / name / "a.png", sets.classes_of(0))
    found = read_folders(tmp_path, tmp_path / "classes", only_pairs=False)
    assert [str(pair.labels.relative_to(tmp_path)) for pair in found.files] == [
        "classes/day/a.png",
        "classes/night/a.png",
    ]
    assert found.files[0].where == str(tmp_path / "day" / "a.png")


def test_files_without_a_partner(tmp_path: Path) -> None:
    sets.folders(tmp_path, "abcdefg")
    for name in "abcd":
        (tmp_path / "images" / f"{name}.png").unlink()
    with pytest.raises(DataError, match=r"^4 label pictures without image: .*/c\.png and 1 more;"):
        read_folders(tmp_path, None, only_pairs=False)
    found = read_folders(tmp_path, None, only_pairs=True)
    assert names(found.files)[0] == ("images/e.png", "e.png")
    assert found.counts == {"label pictures without image left out": 4}
    sets.write_image(tmp_path / "images" / "e.bmp", 0)
    with pytest.raises(DataError, match="it must differ before the ending"):
        read_folders(tmp_path, None, only_pairs=True)


def test_folders_of_another_form(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"expected JPEGImages and SegmentationClass \(VOC\)"):
        read_folders(tmp_path, None, only_pairs=False)
    with pytest.raises(UsageError, match="has no picture in it"):
        read_folders(tmp_path, tmp_path / "x", only_pairs=False)
    sets.write_image(tmp_path / "a.png", 0)
    with pytest.raises(UsageError, match="x: there is no such folder"):
        read_folders(tmp_path, tmp_path / "x", only_pairs=False)
    (tmp_path / "a.png").unlink()
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    with pytest.raises(UsageError, match="images: has no picture in it"):
        read_folders(tmp_path, None, only_pairs=False)


def test_voc(tmp_path: Path) -> None:
    sets.voc(tmp_path)
    assert is_voc(tmp_path)
    parts = read_voc(tmp_path).parts
    assert parts is not None
    assert {part: names(pairs) for part, pairs in parts.items()} == {
        "train": [("JPEGImages/a.png", "a.png"), ("JPEGImages/b.png", "b.png")],
        "val": [("JPEGImages/c.png", "c.png")],
    }
    lists = tmp_path / "ImageSets" / "Segmentation"
    (lists / "val.txt").write_text("c\nd\n")
    with pytest.raises(DataError, match=r"val\.txt:2: there is no label picture of 'd'"):
        read_voc(tmp_path)
    (lists / "train.txt").unlink()
    assert [name for name, _ in names(read_voc(tmp_path).files)] == [
        f"JPEGImages/{name}.png" for name in "abc"
    ]
    (tmp_path / "JPEGImages" / "a.png").unlink()
    with pytest.raises(DataError, match=r"a\.png: there is no image of 'a'"):
        read_voc(tmp_path)
    (tmp_path / "SegmentationClass").rename(tmp_path / "Aug")
    assert not is_voc(tmp_path)


def test_a_list_of_pairs(tmp_path: Path) -> None:
    sets.folders(tmp_path / "set", "ab")
    sets.write_image(tmp_path / "set" / "images" / "a b.png", 0)
    path = tmp_path / "set" / "pairs.txt"
    path.write_text(
        "/images/a.png /labels/a.png\n\nimages/b.png   labels/b.png\nimages/a b.png,labels/b.png\n"
    )
    pairs = read_pair_list(path)
    assert names(pairs) == [
        ("images/a.png", "a.png"),
        ("images/b.png", "b.png"),
        ("images/a b.png", "b.png"),
    ]
    assert pairs[1].where == f"{path}:3: images/b.png"
    assert pairs[1].labels_where == f"{path}:3: {tmp_path}/set/labels/b.png"
    moved = path.rename(tmp_path / "pairs.txt")
    assert read_pair_list(moved, tmp_path / "set")[0].path == tmp_path / "set" / "images" / "a.png"
    with pytest.raises(DataError, match=re.escape("pairs.txt:1: there is no file")):
        read_pair_list(moved)
    for line in ("images/a.png", "a b c", "a,", "a,b,c"):
        moved.write_text(f"images/a.png labels/a.png\n{line}\n")
        with pytest.raises(DataError, match=r"pairs\.txt:2: expected an image and a label picture"):
            read_pair_list(moved, tmp_path / "set")


def test_where_a_pair_is() -> None:
    pair = LabelledImage(Path("x/a.png"), Path("y/a.png"), "a.png")
    assert (pair.where, pair.labels_where) == ("x/a.png", "y/a.png")
