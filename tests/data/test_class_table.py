"""Class tables of segmentation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.data.class_table import (
    ClassTable,
    find_class_table,
    read_class_table,
    voc_colours,
    write_class_table,
)
from protonet.errors import DataError, UsageError

TABLE = ClassTable(("ground", "a, b"), ((0, 0, 0), (255, 128, 0)), 255, (1, 2, 3))


def test_the_colours_are_those_of_voc() -> None:
    colours = voc_colours(256)
    # Classes 1 to 4, 15, 20 and the border of VOC's own pictures.
    assert colours[:5] == ((0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128))
    assert colours[15] == (192, 128, 128)
    assert colours[20] == (0, 64, 128)
    assert colours[255] == (224, 224, 192)
    assert len(set(colours)) == 256


def test_a_table_is_written_and_read(tmp_path: Path) -> None:
    write_class_table(tmp_path, TABLE)
    text = (tmp_path / "class_table.csv").read_text()
    assert text == 'index,name,red,green,blue\n0,ground,0,0,0\n1,"a, b",255,128,0\n' + (
        "255,ignore,1,2,3\n"
    )
    assert read_class_table(tmp_path / "class_table.csv") == TABLE
    (tmp_path / "train_images").mkdir()
    assert find_class_table(tmp_path / "train_images") == TABLE
    assert find_class_table(tmp_path) == TABLE
    assert find_class_table(tmp_path.parent / "none" / "train_images") is None


def test_lines_may_be_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("Index,Name,Red,Green,Blue\n\n1, car ,9,8,7\n0,road,1,2,3\n")
    assert read_class_table(path) == ClassTable(("road", "car"), ((1, 2, 3), (9, 8, 7)))


def test_the_palette_has_a_colour_for_each_number() -> None:
    palette = TABLE.palette()
    assert palette.shape == (256, 3)
    assert palette.dtype == np.uint8
    assert palette[1].tolist() == [255, 128, 0]
    assert palette[255].tolist() == [1, 2, 3]
    assert not palette[2:255].any()
    assert ClassTable.of(["a", "b"]).colours == voc_colours(2)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("", r"t\.csv:1: expected the header index,name,red,green,blue, got nothing"),
        ("0,a,1,2,3\n", r"t\.csv:1: expected the header .*, got 0,a,1,2,3"),
        ("H0,a,1,2\n", r"t\.csv:2: expected index,name,red,green,blue, got 4 value"),
        ("H0,a,1,2,256\n", r"t\.csv:2: expected numbers of 0 to 255, got '256'"),
        ("H-1,a,1,2,3\n", r"t\.csv:2: expected numbers of 0 to 255, got '-1'"),
        ("H0,a,1,2,3\n0,b,1,2,3\n", r"t\.csv:3: the index 0 is on line 2 already"),
        ("H0,a,1,2,3\n2,b,1,2,3\n", r"has 2 class\(es\), but none with the index 1"),
        ("H1,a,1,2,3\n", "none with the index 0"),
        ("H9,ignore,1,2,3\n", r"has 0 class\(es\)"),
        ("H0,a,1,2,3\n8,ignore,0,0,0\n9,ignore,0,0,0\n", r"t\.csv:4: there is a row 'ignore'"),
        ("H0,,1,2,3\n", "class 0 has no name"),
        ("H0,a,1,2,3\n1,b,0,0,0\n\n2,c,x,0,0\n", r"t\.csv:5: .* got 'x'"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, lines: str, message: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(lines.replace("H", "index,name,red,green,blue\n"))
    with pytest.raises(DataError, match=message):
        read_class_table(path)


def test_what_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_class_table(tmp_path / "absent.csv")
    (tmp_path / "t.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="not a class table"):
        read_class_table(tmp_path / "t.csv")


def test_classes_that_cannot_be() -> None:
    with pytest.raises(UsageError, match=r"ignore value must be from 2 to 255.*got 1"):
        ClassTable.of(["a", "b"], ignore=1)
    with pytest.raises(UsageError, match="expected 1 to 256 classes, got 257"):
        ClassTable.of([str(number) for number in range(257)])
    with pytest.raises(UsageError, match="class 1 is named 'ignore'"):
        ClassTable.of(["a", "ignore"])
