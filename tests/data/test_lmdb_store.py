"""The bytes of an LMDB; what is wrong with one is held to account in test_database.py."""

from __future__ import annotations

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
