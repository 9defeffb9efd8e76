"""Data sets in CSV."""

from __future__ import annotations

from pathlib import Path

import pytest

from protonet.data.box_table import read_box_table
from protonet.data.detection_set import NamedBox
from protonet.errors import DataError
from tests.data import detection_sets as sets


def test_a_table(tmp_path: Path) -> None:
    found = read_box_table(sets.table(tmp_path))
    assert [each.name for each in found.files] == [f"photos/{stem}.png" for stem in "abcd"]
    first = found.files[0]
    assert first.path == tmp_path / "photos" / "a.png"
    assert first.where == f"{tmp_path / 'boxes.csv'}:2: photos/a.png"
    assert first.boxes[1] == NamedBox("dog", (0, 0, 40, 20), True, ":3")
    assert found.files[2].boxes == ()


def test_no_header_and_another_folder(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('"x, y.png",cat,1,2.5,3,4\n\nz.png\nx.png, cat ,1,2,3,4\n')
    found = read_box_table(tmp_path / "a.csv", tmp_path / "b")
    assert [(each.path, len(each.boxes)) for each in found.files] == [
        (tmp_path / "b" / "x, y.png", 1), (tmp_path / "b" / "z.png", 0),
        (tmp_path / "b" / "x.png", 1),
    ]  # fmt: skip
    assert found.files[0].boxes == (NamedBox("cat", (1, 2.5, 3, 4), False, ":1"),)
    assert found.files[2].boxes == (NamedBox("cat", (1, 2, 3, 4), False, ":4"),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b,1,2,3,4\na,b,1,2,3\n", r"a\.csv:2: expected image,label,xmin.*, got 'a,b,1,2,3'"),
        ("a,,1,2,3,4\n", r"a\.csv:1: expected image,label"),
        ("a,b,1,2,3,4\na,b,1,2,x,4\n", r"a\.csv:2: expected a number as xmax, got 'x'"),
        ("a,b,1,2,3,4,yes\n", r"a\.csv:1: expected 0 or 1 as difficult, got 'yes'"),
        ("image,label,xmin,ymin,xmax,ymax\n", r"a\.csv: has no line of image,label"),
        ("a.png\nb.png\n", r"a\.csv: has no line of image,label"),
        ("\udcff", r"a\.csv: cannot be read as CSV"),
    ],
)
def test_tables_of_another_form(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.csv").write_text(text, errors="surrogateescape")
    with pytest.raises(DataError, match=message):
        read_box_table(tmp_path / "a.csv")
