"""LevelDB: read like LMDB, without touching its folder."""

from __future__ import annotations

import builtins
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protonet.data.database import Database
from protonet.data.datum import make_datum
from protonet.errors import DataError

plyvel = pytest.importorskip("plyvel", reason="LevelDB needs plyvel")

Make = Callable[..., Path]


@pytest.fixture
def level(tmp_path: Path) -> Path:
    """A LevelDB of 300 random images, some in tables and some in the log."""
    path = tmp_path / "level"
    generator = np.random.default_rng(3)
    for part in range(3):
        with plyvel.DB(str(path), create_if_missing=True, write_buffer_size=65536) as database:
            for index in range(part, 300, 3):
                image = generator.integers(0, 256, (2, 9, 11), np.uint8)
                datum = make_datum(image, label=index)
                database.put(f"{index:04}".encode(), datum.SerializeToString())
    return path


def contents(path: Path) -> dict[str, tuple[bytes, int]]:
    return {e.name: (e.read_bytes(), e.stat().st_mtime_ns) for e in path.iterdir()}


def test_records_come_in_the_order_of_their_keys(level: Path) -> None:
    before = contents(level)
    with Database(level) as database, Database(level) as again:
        assert len(database) == len(again) == 300
        assert database.keys() == [f"{index:04}".encode() for index in range(300)]
        assert [datum.label for _, datum in database] == list(range(300))
        assert database.first()[0] == b"0000"
        image, label = database.read(b"0123")
        assert (image.shape, label) == ((2, 9, 11), 123)
        with pytest.raises(DataError, match="key 'absent': there is no such key"):
            database.get(b"absent")
    assert contents(level) == before


def test_one_that_may_only_be_read(level: Path) -> None:
    level.chmod(0o500)
    try:
        with Database(level) as database:
            assert len(database) == 300
    finally:
        level.chmod(0o700)


def test_one_that_someone_has_open(level: Path) -> None:
    with plyvel.DB(str(level)), Database(level) as database:
        assert len(database) == 300


def test_it_is_gone_after_closing(level: Path) -> None:
    database = Database(level)
    folder = Path(database._backend._folder.name)  # type: ignore[attr-defined]
    assert folder.exists()
    database.close()
    database.close()
    assert not folder.exists()
    with pytest.raises(DataError, match="has been closed"):
        database.first()


@pytest.mark.parametrize("damage", ["manifest", "tables", "current"])
def test_damage(level: Path, damage: str) -> None:
    for path in level.iterdir():
        if damage == "manifest" and path.name.startswith("MANIFEST"):
            path.write_bytes(b"garbage" * 9)
        if damage == "current" and path.name == "CURRENT":
            path.write_bytes(b"MANIFEST-999999\n")
        if damage == "tables" and path.suffix in (".ldb", ".sst"):
            os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(DataError, match="level: the LevelDB cannot be read"):
        Database(level)


def test_an_empty_one(tmp_path: Path) -> None:
    plyvel.DB(str(tmp_path / "level"), create_if_missing=True).close()
    with pytest.raises(DataError, match="the database is empty"):
        Database(tmp_path / "level")


def test_without_plyvel(level: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    really = builtins.__import__

    def refuse(name: str, *rest: Any, **named: Any) -> Any:
        if name == "plyvel":
            raise ImportError(name)
        return really(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(DataError, match=r"pip install 'protonet\[leveldb\]'"):
        Database(level)
