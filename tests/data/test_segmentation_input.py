"""What data sets for segmentation are made of."""

from __future__ import annotations

from pathlib import Path

import pytest

from protonet.data.detection_set import Division
from protonet.data.segmentation_classes import GivenClasses
from protonet.data.segmentation_input import SegmentationInput
from protonet.errors import DataError, UsageError
from tests.data import segmentation_sets as sets

COLOURS = ((0, 0, 0), (200, 100, 50), (10, 20, 30))


def test_all_is_measured(tmp_path: Path) -> None:
    sets.folders(tmp_path / "set")
    told: list[tuple[int, int]] = []
    given = SegmentationInput(tmp_path / "set", division=Division(val_share=0.25, seed=3))
    found = given.measure(lambda done, total: told.append((done, total)))
    assert told == [(n, 4) for n in (1, 2, 3, 4)]
    assert {part: len(files) for part, files in found.parts.items()} == {"train": 3, "val": 1}
    assert {each.size for each in found.parts["train"]} == {sets.SIZE}
    assert len({each.digest for each in found.parts["train"]}) == 3
    again = SegmentationInput(tmp_path / "set", division=Division(seed=3)).measure()
    assert again.parts == found.parts


def test_pictures_of_colours(tmp_path: Path) -> None:
    sets.folders(tmp_path / "set", colours=COLOURS)
    with pytest.raises(UsageError, match=r"labels/[a-d]\.png: is a picture of colors \(0 0 0, 10"):
        SegmentationInput(tmp_path / "set").measure()
    table = tmp_path / "colors.txt"
    table.write_text("0 0 0\n200 100 50\n10 20 30\n")
    given = GivenClasses(colours=table)
    found = SegmentationInput(tmp_path / "set", classes=given).measure()
    assert found.pixels == {0: 64, 1: 64, 2: 64}
    with pytest.raises(DataError, match="not of numbers"):
        SegmentationInput(tmp_path / "set", classes=given, coding="numbers").measure()


def test_names_get_the_colours_of_the_palette(tmp_path: Path) -> None:
    sets.folders(tmp_path / "set", palette=COLOURS)
    names = tmp_path / "names.txt"
    names.write_text("x\ny\nz\n")
    table = SegmentationInput(tmp_path / "set", classes=GivenClasses(names)).measure().table
    assert (table.names, table.colours) == (("x", "y", "z"), COLOURS)


def test_lists_of_pairs(tmp_path: Path) -> None:
    sets.folders(tmp_path / "set")
    for name, files in (("train", "ab"), ("val", "c")):
        lines = [f"images/{each}.png labels/{each}.png\n" for each in files]
        (tmp_path / f"{name}.txt").write_text("".join(lines))
    division = Division(val_list=tmp_path / "val.txt")
    found = SegmentationInput(
        tmp_path / "train.txt", base=tmp_path / "set", division=division
    ).measure()
    assert {part: sorted(each.file.name for each in files) for part, files in found.parts.items()}
    assert [each.file.name for each in found.parts["val"]] == ["images/c.png"]
    with pytest.raises(UsageError, match="--train-list does not apply"):
        SegmentationInput(
            tmp_path / "train.txt", division=Division(train_list=tmp_path / "val.txt")
        ).measure()


@pytest.mark.parametrize(
    ("root", "options", "message"),
    [
        ("absent", {}, "absent: there is no such file or folder"),
        ("set", {"base": Path("x")}, "--base does not apply: .* of the form folders"),
        ("list.txt", {"labels": Path("x")}, "--labels does not apply: .* of the form list"),
        ("set", {"form": "list"}, "is a folder, not a list of pairs"),
        ("list.txt", {"form": "voc"}, "is a file; --form list reads a list"),
    ],
)
def test_what_does_not_go_together(
    tmp_path: Path, root: str, options: dict[str, object], message: str
) -> None:
    sets.folders(tmp_path / "set")
    (tmp_path / "list.txt").write_text("a b\n")
    with pytest.raises(UsageError, match=message):
        SegmentationInput(tmp_path / root, **options).measure()


def test_unknown_forms_and_codings() -> None:
    with pytest.raises(UsageError, match="--form kitti: expected one of folders, voc, list"):
        SegmentationInput(Path("x"), form="kitti")
    with pytest.raises(UsageError, match="--coding rgb: expected one of numbers, colors"):
        SegmentationInput(Path("x"), coding="rgb")
