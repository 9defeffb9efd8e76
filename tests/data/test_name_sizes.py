"""Files with the sizes of a test set."""

from __future__ import annotations

from pathlib import Path

import pytest

from protonet.data.name_sizes import read_name_sizes
from protonet.errors import DataError


def test_height_and_width_of_each_line(tmp_path: Path) -> None:
    path = tmp_path / "sizes.txt"
    path.write_bytes(b"000001 375 500\n\n\xff 24 48\n")
    assert read_name_sizes(path) == [(375, 500), (24, 48)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "names no image"),
        (b"a 1 2\nb 3\n", r"sizes.txt:2: expected a name, height and width, got 'b 3'"),
        (b"a 1 -2\n", "sizes.txt:1: expected a name"),
        (b"a 1 99999999999\n", "sizes.txt:1: expected a name"),
        (b"\xff\n", "sizes.txt:1: expected a name"),
    ],
)
def test_what_is_refused(tmp_path: Path, text: bytes, message: str) -> None:
    path = tmp_path / "sizes.txt"
    path.write_bytes(text)
    with pytest.raises(DataError, match=message):
        read_name_sizes(path)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_name_sizes(tmp_path / "none")
