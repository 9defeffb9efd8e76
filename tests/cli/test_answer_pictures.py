"""The folder of pictures, and what is told of an image; its pictures are tested with their nets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from protonet.cli.answer_pictures import AnswerPictures, make_folder
from protonet.errors import UsageError


class Answers(AnswerPictures[int]):
    def found(self, prediction: Any) -> int:
        return 7

    def lines(self, found: int) -> list[str]:
        return ["first", f"then {found}"]

    def values(self, found: int) -> dict[str, Any]:
        return {"found": found}

    def pictures(self, image: Path, found: int) -> Mapping[str, bytes]:
        return {"a": b"one", "b": b"two"}


def test_what_is_told_of_an_image(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prediction: Any = SimpleNamespace(image=Path("x/1.png"))
    told = Answers(("p", "q"), None)
    assert told.as_json(prediction) == {"found": 7}
    told.print(prediction)
    assert capsys.readouterr().out == "x/1.png: p, q, first\n  then 7\n"
    told = Answers(("p",), tmp_path)
    told.print(prediction)
    names = [str(tmp_path / f"1_{end}.png") for end in "ab"]
    assert capsys.readouterr().out.splitlines()[2:] == [f"  {name}" for name in names]
    again = [str(tmp_path / f"1-2_{end}.png") for end in "ab"]
    assert told.as_json(prediction) == {"found": 7, "pictures": again}
    assert [Path(name).read_bytes() for name in (*names, *again)] == [b"one", b"two"] * 2


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="file: cannot be made: File exists"):
        make_folder(tmp_path / "file")
