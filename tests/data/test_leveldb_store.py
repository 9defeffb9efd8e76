"""Real LevelDBs, written by plyvel: read, left alone, and refused where they are damaged."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import plyvel
import pytest

from protonet.data.database import Database, check_pairs
from protonet.data.datum import make_datum
from protonet.data.leveldb_store import LevelStore, can_read_leveldb, is_leveldb
from protonet.errors import DataError


@pytest.fixture
def links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the temporary folders of links are made."""
    folder = tmp_path / "links"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def write(
    path: Path, records: Mapping[bytes, bytes] | None = None, *, journal: bool = False
) -> Path:
    """Records in tables, as of a database that was opened again; ``journal``: in the log only."""
    if records is None:
        images = np.random.default_rng(3).integers(0, 256, (5, 2, 3, 4), np.uint8)
        records = {
            f"{i:02}".encode(): make_datum(image, label=10 + i).SerializeToString()
            for i, image in enumerate(images)
        }
    database = plyvel.DB(str(path), create_if_missing=True)
    for key, value in records.items():
        database.put(key, value)
    database.close()
    if not journal:
        plyvel.DB(str(path)).close()
    return path


def contents(path: Path) -> dict[str, tuple[int, bytes]]:
    return {file.name: (file.stat().st_mtime_ns, file.read_bytes()) for file in path.iterdir()}


@pytest.mark.parametrize("journal", [False, True])
def test_records_in_the_order_of_keys(tmp_path: Path, journal: bool) -> None:
    path = write(tmp_path / "db", journal=journal)
    assert is_leveldb(path)
    with Database(path) as database:
        assert len(database) == 5
        assert database.keys() == [b"00", b"01", b"02", b"03", b"04"]
        assert [datum.label for _, datum in database] == [10, 11, 12, 13, 14]
        assert database.first()[0] == b"00"
        assert database.image(b"02")[0].shape == (2, 3, 4)
        with pytest.raises(DataError, match=r"db: key '11': there is no such key"):
            database.get(b"11")
    with pytest.raises(DataError, match="the database has been closed"):
        database.get(b"00")


@pytest.mark.parametrize("journal", [False, True])
def test_reading_leaves_no_trace(tmp_path: Path, links: Path, journal: bool) -> None:
    path = write(tmp_path / "db", journal=journal)
    before = contents(path)
    with Database(path) as database:
        list(database)
        assert len(list(links.iterdir())) == 1
    assert contents(path) == before
    assert list(links.iterdir()) == []


def test_compressed_tables(tmp_path: Path) -> None:
    """Caffe's databases are compressed with snappy."""
    path = write(tmp_path / "db", {b"%05d" % i: b"abc" * 500 for i in range(3000)})
    assert sum(file.stat().st_size for file in path.glob("*.ldb")) < 1_000_000
    store = LevelStore(path)
    assert len(store) == 3000
    assert store.get(b"02999") == b"abc" * 500
    store.close()


def test_one_folder_opened_several_times_and_while_it_is_written(tmp_path: Path) -> None:
    path = write(tmp_path / "db")
    writer = plyvel.DB(str(path))
    with Database(path) as first, Database(path) as second:
        check_pairs(first, second)
    writer.close()


def test_a_store_that_is_forgotten_is_closed(tmp_path: Path, links: Path) -> None:
    store = LevelStore(write(tmp_path / "db"))
    assert list(links.iterdir())
    del store
    assert list(links.iterdir()) == []


def test_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "db")
    monkeypatch.chdir(tmp_path)
    with Database("db") as database:
        assert len(database) == 5


def test_no_records(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the database is empty: it has no records"):
        Database(write(tmp_path / "db", {}))


def test_a_damaged_record(tmp_path: Path) -> None:
    path = write(tmp_path / "db", {b"a": b"\xff\xff\xff no Datum"})
    with Database(path) as database, pytest.raises(DataError, match=r"db: key 'a': .* not a Datum"):
        database.get(b"a")


def test_a_damaged_table(tmp_path: Path, links: Path) -> None:
    path = write(tmp_path / "db")
    (table,) = path.glob("*.ldb")
    data = bytearray(table.read_bytes())
    data[20] ^= 0xFF
    table.write_bytes(data)
    with pytest.raises(DataError, match=r"db: the database cannot be read: Corruption"):
        Database(path)
    assert list(links.iterdir()) == []


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    path = write(tmp_path / "db")
    next(path.glob("*.ldb")).unlink()
    with pytest.raises(DataError, match=r"cannot be read: Corruption: .* missing files"):
        Database(path)


def test_a_table_that_is_cut_short(tmp_path: Path) -> None:
    path = write(tmp_path / "db")
    table = next(path.glob("*.ldb"))
    os.truncate(table, table.stat().st_size // 2)
    with pytest.raises(DataError, match=r"db: the database cannot be read: "):
        Database(path)


def test_a_folder_of_databases(tmp_path: Path) -> None:
    (tmp_path / "all").mkdir()
    path = write(tmp_path / "all" / "db")
    with pytest.raises(DataError, match=f"is a folder of databases; give one of them: {path}"):
        Database(tmp_path / "all")


def test_without_plyvel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "db")
    monkeypatch.setitem(sys.modules, "plyvel", None)
    assert not can_read_leveldb()
    with pytest.raises(DataError, match=r"needs plyvel: pip install 'protonet\[leveldb\]', or "):
        Database(path)
