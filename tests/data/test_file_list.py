"""Lists that name files."""

from __future__ import annotations

from pathlib import Path

import pytest

from protonet.data.file_list import FileList, numbered_lines, read_listed_file
from protonet.errors import DataError


def test_lines_keep_their_numbers_and_empty_ones_are_passed_over(tmp_path: Path) -> None:
    source = tmp_path / "list.txt"
    source.write_bytes("\ufeff\n  a.png 1\r\n \t\nb c.png 2".encode())
    assert numbered_lines(source, "image") == [(2, "a.png 1"), (4, "b c.png 2")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "list.txt: cannot be read: No such file or directory"),
        (b"\xff\n", "list.txt: is not a list of clips: it is not text ("),
        (b"\n \n", "list.txt: names no clip"),
    ],
)
def test_what_is_no_list_is_refused(tmp_path: Path, content: bytes | None, message: str) -> None:
    source = tmp_path / "list.txt"
    if content is not None:
        source.write_bytes(content)
    with pytest.raises(DataError) as caught:
        numbered_lines(source, "clip")
    assert str(caught.value).startswith(f"{tmp_path}/{message}")


def test_a_file_is_looked_up_here_and_then_in_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, folder = tmp_path / "here", tmp_path / "folder"
    for each in (here, folder):
        each.mkdir()
        (each / "both").write_text(each.name)
    (folder / "one").write_text("folder")
    monkeypatch.chdir(here)
    assert read_listed_file(Path("both"), folder, "") == b"here"
    assert read_listed_file(Path("one"), folder, "") == b"folder"
    with pytest.raises(DataError, match=r"^list:3: one: cannot be read: No such file"):
        read_listed_file(Path("one"), None, "list:3: one")


class Words(FileList[str]):
    """Lines as they are, behind the root."""

    def read_lines(self, source: Path) -> list[str]:
        return [self.root + line for _, line in numbered_lines(source, "word")]


def test_what_a_list_names_has_places_in_its_order(tmp_path: Path) -> None:
    source = tmp_path / "list.txt"
    source.write_text("b\n\na\n")
    words = Words(source, root="x/")
    assert (len(words), words.keys(), words.path) == (2, range(2), source)
    assert [words._lines[key] for key in range(2)] == ["x/b", "x/a"]
    with pytest.raises(NotImplementedError):
        FileList(source)
