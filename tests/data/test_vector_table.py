"""Tables of images and numbers: their header, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from protonet.data import vector_table as module
from protonet.data.vector_table import read_table
from protonet.errors import DataError


def test_a_table_has_a_header_or_none(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text(
        "file,angle,speed\n0.png, 0, -0.0\n1.png,1,-.5\n2.png, 2, -1\n"
    )
    table = read_table(tmp_path / "labels.csv")
    assert table.columns == ("angle", "speed")
    assert table.rows[2] == (4, "2.png", (2.0, -1.0))
    (tmp_path / "bare.csv").write_text("0.png,1\n\n1.png,2e-1\n")
    bare = read_table(tmp_path / "bare.csv")
    assert (bare.columns, len(bare.rows), bare.rows[1]) == ((), 2, (3, "1.png", (0.2,)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no row of an image and its numbers"),
        ("file,angle\n", "has no row of an image and its numbers"),
        ("0.png,1\n1.png,1,2\n", r"t\.csv:2: expected an image and 1 number\(s\), got 3 column"),
        ("a,b\n0.png,1\n1.png,one\n", r"t\.csv:3: column 2: 'one' is not a finite number"),
        ("0.png,1\n1.png,nan\n", r"t\.csv:2: column 2: 'nan' is not a finite number"),
        ("0.png,1\n1.png,\n", r"t\.csv:2: column 2: '' is not a finite number"),
    ],
)
def test_tables_that_cannot_be(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read_table(tmp_path / "t.csv")
    with pytest.raises(DataError, match="cannot be read as CSV"):
        read_table(tmp_path / "nowhere.csv")


@pytest.mark.parametrize(
    ("content", "line"),
    [("a.png," + ",".join(["1"] * 2**14) + "\n", 1), ("a.png,1\n" * 9, 5)],
)
def test_a_table_that_would_fill_the_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, line: int
) -> None:
    monkeypatch.setattr(module, "_MOST_ROWS", 4)
    (tmp_path / "t.csv").write_text(content)
    with pytest.raises(DataError, match=rf"t\.csv:{line}: the table is too large: at most 16384"):
        read_table(tmp_path / "t.csv")
