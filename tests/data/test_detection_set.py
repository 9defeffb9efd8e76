"""Dividing a data set."""

from __future__ import annotations

from pathlib import Path

import pytest

from protonet.data.detection_set import (
    AnnotatedFile,
    DetectionSet,
    Division,
    read_file,
    read_names,
    stem_of,
)
from protonet.errors import DataError, UsageError

NAMES = [f"x/{number}.png" for number in range(8)]


def files(names: list[str]) -> list[AnnotatedFile]:
    return [AnnotatedFile(Path("/") / name, name, Path("boxes.csv"), (), ":1") for name in names]


def names(found: dict[str, list[AnnotatedFile]]) -> dict[str, list[str]]:
    return {part: [each.name for each in those] for part, those in found.items()}


def test_a_share_is_drawn_by_the_seed() -> None:
    found = DetectionSet(files(NAMES))
    parts = [names(Division(seed=seed).parts(found)) for seed in (1, 1, 2)]
    assert parts[0] == parts[1] != parts[2]
    assert sorted(parts[0]["train"] + parts[0]["val"]) == NAMES
    assert len(parts[0]["val"]) == 2
    assert parts[0]["val"] == sorted(parts[0]["val"])
    assert parts[0]["train"] != sorted(parts[0]["train"])
    assert list(Division(val_share=0).parts(found)) == ["train"]
    with pytest.raises(UsageError, match="there is no image to train on"):
        Division(val_share=0.99).parts(found)


def test_lists_name_images_in_several_ways(tmp_path: Path) -> None:
    train, val = tmp_path / "train.txt", tmp_path / "val.txt"
    train.write_text("x/0.png\nx/1\n2.png\n3\n")
    val.write_text("5 -1\n4  1\n")
    found = DetectionSet(files(NAMES))
    parts = names(Division(train, val).parts(found))
    assert sorted(parts["train"]) == NAMES[:4]
    assert parts["val"] == [NAMES[5], NAMES[4]]
    assert sorted(names(Division(val_list=val).parts(found))["train"]) == NAMES[:4] + NAMES[6:]
    assert list(Division(train).parts(found)) == ["train"]
    with pytest.raises(UsageError, match="--val-share and lists of images exclude each other"):
        Division(train, val_share=0.5)


def test_lists_that_are_wrong(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    found = DetectionSet(files([*NAMES, "y/1.png"]))
    path.write_text("0\n9\n")
    with pytest.raises(DataError, match=r"list\.txt:2: there is no image '9' with annotations"):
        Division(path).parts(found)
    path.write_text("1.png\n")
    with pytest.raises(DataError, match=r"list\.txt:1: there are several images '1\.png'"):
        Division(path).parts(found)
    path.write_text("0\nx/0\n")
    with pytest.raises(DataError, match=r"boxes\.csv:1: x/0\.png: is there twice, in train"):
        Division(path).parts(found)
    path.write_text("0\n")
    with pytest.raises(DataError, match=r"is there twice, in train and val"):
        Division(path, path).parts(found)
    path.write_text("0\n0\n")
    with pytest.raises(DataError, match=r"list\.txt:2: '0' is on line 1 already"):
        read_names(path)


def test_a_set_that_is_divided_stays_so_unless_a_share_is_given() -> None:
    found = DetectionSet((), parts={"train": files(NAMES[:6]), "val": files(NAMES[6:])})
    assert names(Division().parts(found))["val"] == NAMES[6:]
    assert len(Division(val_share=0.5).parts(found)["val"]) == 4


def test_names_and_files(tmp_path: Path) -> None:
    assert [stem_of(name) for name in ("a/b.c.jpg", "b.c", "b.PNG")] == ["b.c", "b.c", "b"]
    with pytest.raises(DataError, match="none: cannot be read: No such file"):
        read_file(tmp_path / "none")
