"""convert-imageset with Caffe's spelling."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protonet.data.database import Database
from protonet.data.datum import decode, encode_image


@pytest.fixture(autouse=True)
def images(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    generator = np.random.default_rng(0)
    for index in range(3):
        image = generator.integers(0, 256, (3, 6, 8), np.uint8)
        (tmp_path / "images" / f"{index}.png").write_bytes(encode_image(image))
    (tmp_path / "list.txt").write_text("0.png 4\n1.png 5\n2.png 6\n")


def test_caffes_call(protonet: Any, tmp_path: Path) -> None:
    flags = ("--resize_width=4", "--resize_height=3", "--gray", "--encoded", "--check_size")
    found = protonet("convert-imageset", *flags, "images/", "list.txt", "db")
    assert (found.returncode, found.stdout, found.stderr) == (0, "db: 3 images (lmdb)\n", "")
    with Database(tmp_path / "db") as database:
        assert database.keys()[0] == b"00000000_0.png"
        assert [datum.label for _, datum in database] == [4, 5, 6]
        assert {decode(datum, "").shape for _, datum in database} == {(1, 3, 4)}


def test_what_cannot_be(protonet: Any, tmp_path: Path) -> None:
    found = protonet("convert-imageset", "images/", "list.txt", "db", "--resize-width", 4)
    assert found.returncode == 2
    assert "--resize-width and --resize-height go together" in found.stderr
    found = protonet("convert-imageset", "elsewhere/", "list.txt", "db")
    assert found.returncode == 4
    assert "list.txt:1: elsewhere/0.png: cannot be read" in found.stderr
    assert not (tmp_path / "db").exists()


@pytest.mark.parametrize(
    ("flags", "kind", "bytes_kept"),
    [
        ("--encoded=true -gray=false -logtostderr=1", "png", True),
        ("-encoded -encode_type=jpg --noshuffle", "jpg", False),
        ("--encode_type png --resize_width=4 --resize_height=3 --check_size=1", "png", False),
    ],
)
def test_spellings_of_scripts(
    protonet: Any, tmp_path: Path, flags: str, kind: str, bytes_kept: bool
) -> None:
    found = protonet("convert_imageset", *flags.split(), "images/", "list.txt", "db")
    assert (found.returncode, found.stderr) == (0, "")
    with Database(tmp_path / "db") as database:
        _, datum = database.first()
    assert datum.encoded
    assert datum.data.startswith({"png": b"\x89PNG", "jpg": b"\xff\xd8\xff"}[kind])
    assert (datum.data == (tmp_path / "images" / "0.png").read_bytes()) is bytes_kept


def test_a_leveldb(protonet: Any, tmp_path: Path) -> None:
    for backend in ("leveldb", "lmdb"):
        found = protonet("convert-imageset", f"-backend={backend}", "images/", "list.txt", backend)
        assert (found.stdout, found.returncode) == (f"{backend}: 3 images ({backend})\n", 0)
    assert (tmp_path / "leveldb" / "CURRENT").exists()
    with Database(tmp_path / "leveldb") as left, Database(tmp_path / "lmdb") as right:
        assert list(left) == list(right)


def test_kinds_and_settings_that_cannot_be(protonet: Any, tmp_path: Path) -> None:
    found = protonet("convert-imageset", "--encode_type", "gif", "images/", "list.txt", "db")
    assert found.returncode == 2
    assert "--encode-type gif: expected png, jpg, jpeg, bmp, webp" in found.stderr
    (tmp_path / "images" / "2.png").write_bytes(b"")
    found = protonet("convert-imageset", "images/", "list.txt", "db")
    assert found.returncode == 4
    assert "db.partial: the same command resumes it" in found.stderr
    found = protonet("convert-imageset", "--gray", "images/", "list.txt", "db")
    assert found.returncode == 2
    assert "channels was color, is now gray" in found.stderr
    (tmp_path / "list.txt").write_text("0.png 400\n1.png 5\n")
    found = protonet("convert-imageset", "images/", "list.txt", "db")
    assert found.returncode == 2
    assert "list.txt:1: images/0.png: record 0 was already written as '0.png " in found.stderr
    assert "--restart starts over" in found.stderr
    (tmp_path / "list.txt").write_text("0.png 4\n1.png 5\n")
    found = protonet("convert-imageset", "--restart", "images/", "list.txt", "db")
    assert (found.stdout, found.stderr) == ("db: 2 images (lmdb)\n", "")
