"""JSON that is none, of every kind, is a ValueError; and nobody reads it in another way."""

from __future__ import annotations

from pathlib import Path

import pytest

import protonet
from protonet.formats.json_text import parse_json


def test_what_a_text_holds() -> None:
    assert parse_json('{"a": [1, 2.5, null]}') == {"a": [1, 2.5, None]}


@pytest.mark.parametrize(
    "text", ["", "{", "[" * 100_000, '{"a":' * 100_000, "9" * 5000, b'"\xff"'], ids=range(6)
)
def test_what_is_none(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_json(text)


def test_files_are_read_by_this_alone() -> None:
    package = Path(protonet.__file__).parent
    found = [
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if "json.load" in path.read_text(encoding="utf-8") and "web" not in path.parts
    ]
    assert found == ["formats/json_text.py"]
