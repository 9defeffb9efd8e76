"""Names, images and tables of uploads; what hostile ones leave behind is in test_making.py."""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import pytest

from protonet.errors import DataError, UsageError
from protonet.web.uploads import TABLE, check_image, check_table, make_folder, safe_name, store
from tests.web.test_submission import png


def bomb() -> bytes:
    """A PNG that claims to be 60,000 x 60,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data).to_bytes(4, "big")
        return len(data).to_bytes(4, "big") + kind + data + check

    size = (60_000).to_bytes(4, "big") * 2
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", size + bytes([8, 0, 0, 0, 0]))
        + chunk(b"IDAT", zlib.compress(bytes(60_001) * 10))
        + chunk(b"IEND", b"")
    )


def test_names_stay_below_their_folder() -> None:
    assert safe_name("a/b\\c.png") == Path("a/b/c.png")
    for name in ("", "/a", "../a", "a/../b", "a\0b", "x" * 256, "a/" * 600):
        with pytest.raises(UsageError, match="is not a valid name of an uploaded file"):
            safe_name(name)


def test_images_are_looked_at_before_they_are_decoded(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(png(shape=(3, 6, 8)))
    check_image(path, 48, "x.png")
    with pytest.raises(DataError, match="8x6 is more than the 47 pixels"):
        check_image(path, 47, "x.png")
    path.write_bytes(bomb())
    with pytest.raises(DataError, match="pixels"):
        check_image(path, 10**6, "x.png")


def test_files_do_not_take_the_place_of_others(tmp_path: Path) -> None:
    store(io.BytesIO(b"first"), tmp_path / "a")
    with pytest.raises(UsageError, match="'a' was uploaded twice"):
        store(io.BytesIO(b"second"), tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"first"
    with pytest.raises(UsageError, match="is a file where it needs a folder"):
        make_folder(tmp_path / "a" / "b", "a/b/c.png")


def test_tables_name_what_is_there(tmp_path: Path) -> None:
    (tmp_path / TABLE).write_text("x.png,1\ny.png,2\n")
    (tmp_path / "x.png").touch()
    with pytest.raises(UsageError, match=r"labels\.csv:2: the image 'y\.png' was not uploaded"):
        check_table(tmp_path, 10)
    (tmp_path / "y.png").touch()
    check_table(tmp_path, 2)
    with pytest.raises(UsageError, match="2 rows are more than the 1 allowed in one upload"):
        check_table(tmp_path, 1)
