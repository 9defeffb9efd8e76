"""Images and their true classes."""

from __future__ import annotations

from pathlib import Path

import pytest

from protonet.errors import DataError, UsageError
from protonet.jobs.evaluation.labelled import Item, class_of, find_items

NAMES = ["n01 cat, house cat", "n02 dog", "n02 wolf", "bird"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("cat/1.png", "cat/deep/2.JPG", "dog/1.jpeg", "zebra/1.png", "top.png", "x.md"):
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def test_folders_that_are_named_as_classes(folder: Path) -> None:
    images = folder / "images"
    found = find_items([images], ["dog", "cat", "bird"], 3)
    assert found.items == [
        Item(images / "cat/1.png", 1),
        Item(images / "cat/deep/2.JPG", 1),
        Item(images / "dog/1.jpeg", 0),
        Item(images / "top.png"),
        Item(images / "zebra/1.png"),
    ]
    assert found.notes == [f"{images / 'zebra'}: no class is named so; its images are not counted"]
    assert [item.path.name for item in find_items([images], None, 9, "jpg").items] == ["2.JPG"]
    other = find_items([images], ["a", "b", "c"], 3)
    assert {item.truth for item in other.items} == {None}
    assert other.notes == []


def test_as_many_folders_as_classes_are_the_classes(folder: Path) -> None:
    images = folder / "images"
    found = find_items([images], None, 3)
    assert found.classes == ["cat", "dog", "zebra"]
    assert found.notes == [f"{images}: its 3 folders are taken for the classes"]
    assert [item.truth for item in found.items] == [0, 0, 1, None, 2]
    assert find_items([images], None, 4).classes is None


def test_names_of_classes() -> None:
    assert class_of("bird", NAMES) == 3
    assert class_of("n01", NAMES) == 0
    assert class_of("n02", NAMES) is None  # of two
    assert class_of("cow", NAMES) is None
    assert class_of("cow", None) is None


def test_lists(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    text = "images/cat/1.png 2\r\n\n  images/top.png n01\na file.png\nplain.png bird\nmy cow.png\n3"
    (folder / "list.txt").write_text(text)
    found = find_items([Path("list.txt"), Path("one.png")], NAMES, 4).items
    assert found == [
        Item(Path("images/cat/1.png"), 2),
        Item(Path("images/top.png"), 0),
        Item(Path("a file.png")),
        Item(Path("plain.png"), 3),
        Item(Path("my cow.png")),
        Item(Path("3")),
        Item(Path("one.png")),
    ]
    (folder / "sub").mkdir()
    (folder / "sub" / "list.txt").write_text("x.png 1")
    assert find_items([Path("sub/list.txt")], None, 4).items == [Item(Path("sub/x.png"), 1)]
    items = find_items([Path("sub/list.txt")], None, 4, root=Path("images/cat")).items
    assert items == [Item(Path("images/cat/x.png"), 1)]


def test_what_cannot_be(folder: Path) -> None:
    (folder / "empty").mkdir()
    with pytest.raises(UsageError, match="empty: has no image file in it"):
        find_items([folder / "empty"], None, 3)
    with pytest.raises(UsageError, match=r"images: has no \.bmp file in it"):
        find_items([folder / "images"], None, 3, "bmp")
    for text, message in (
        (None, "cannot be read: No such file"),
        (b"\n \n", "names no image"),
        (b"\xff\xfe\x00", "is not a list of images: it is not text"),
        (b"a.png 1\nb.png 3\n", r"l\.txt:2: class 3, but the net has classes 0 to 2"),
    ):
        if text is not None:
            (folder / "l.txt").write_bytes(text)
        with pytest.raises(DataError, match=message):
            find_items([folder / "l.txt"], None, 3)
