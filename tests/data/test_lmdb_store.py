"""The bytes of an LMDB; what is wrong with one is held to account in test_database.py."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from protonet.data.lmdb_store import LmdbStore
from protonet.errors import DataError

Make = Callable[..., Path]


def test_keys_and_values(make_database: Make) -> None:
    store = LmdbStore(make_database())
    assert store.keys() == [f"{i:02}".encode() for i in range(7)]
    assert len(store) == 7
    assert store.first() == b"00"
    assert store.get(b"03") is not None
    assert store.get(b"99") is None
    store.close()


def test_an_empty_one_has_no_first_key(make_database: Make) -> None:
    store = LmdbStore(make_database({}))
    assert store.first() is None
    assert store.keys() == []
    store.close()


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read: No such file"):
        LmdbStore(tmp_path)


@pytest.mark.parametrize("variable", ["0", "1"])
def test_databases_are_in_the_format_that_caffe_reads(tmp_path: Path, variable: str) -> None:
    """py-lmdb's variable chooses between two libraries, whose files differ."""
    code = """
import sys
from protonet.data.writer import DatabaseWriter
from protonet.data.database import Database
from protonet.proto.caffe_pb2 import Datum
with DatabaseWriter(sys.argv[1]) as writer:
    writer.put(b"a", Datum(label=7))
with Database(sys.argv[1]) as database:
    assert database.get(b"a").label == 7
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "db")],
        env=os.environ | {"LMDB_DEFAULT_LIB_VERSION": variable},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    # Magic number and version of the format.
    assert (tmp_path / "db" / "data.mdb").read_bytes()[16:24].hex() == "dec0efbe01000000"


def test_a_file_of_the_new_format_is_named(tmp_path: Path) -> None:
    """The first bytes of what LMDB 1.0 writes: a longer header, and version 3."""
    page = bytearray(3 * 4096)
    page[24:32] = bytes.fromhex("dec0efbe03000000")
    (tmp_path / "data.mdb").write_bytes(page)
    with pytest.raises(DataError, match=r"is in the format of LMDB 1.0, which Caffe cannot read"):
        LmdbStore(tmp_path)


def test_a_file_that_is_cut_while_it_is_read_is_told(make_database: Make) -> None:
    """What lies beyond the end of a mapped file would end the process (SIGBUS)."""
    path = make_database()
    store = LmdbStore(path)
    assert store.get(b"03") is not None
    os.truncate(path / "data.mdb", 4096)
    with pytest.raises(DataError, match="the database was cut short while it was being read"):
        store.get(b"03")
    store.close()
