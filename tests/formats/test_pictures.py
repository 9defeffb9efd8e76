"""Pictures begin as their kind does, and a failure leaves the old one."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.figure import Figure

from protonet.errors import UsageError
from protonet.formats.pictures import new_figure, picture_bytes, picture_kind, write_picture


@pytest.mark.parametrize(
    ("kind", "start"),
    [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF"), ("jpg", b"\xff\xd8")],
)
def test_every_kind(kind: str, start: bytes, tmp_path: Path) -> None:
    figure = Figure(figsize=(1, 1))
    assert picture_bytes(figure, kind, dpi=20).startswith(start)
    write_picture(figure, tmp_path / "x", kind)
    assert (tmp_path / "x").read_bytes().startswith(start)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"x\.png"):
        write_picture(Figure(), tmp_path / "no" / "x.png", "png")


def test_a_files_name_says_the_kind() -> None:
    assert picture_kind(Path("a/B.SVG"), ("png", "svg")) == "svg"
    with pytest.raises(UsageError, match=r"b\.jpg: expected a picture of kind png, svg"):
        picture_kind(Path("b.jpg"), ("png", "svg"))


def test_a_new_figure_has_its_size() -> None:
    assert tuple(new_figure(3, 2.5).get_size_inches()) == (3.0, 2.5)
