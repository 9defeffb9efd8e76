"""LMDB files: one environment for several readers, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import lmdb
import pytest

from protonet.data import backends
from protonet.data.backends import DATA_FILE, LmdbFiles, refusals
from protonet.errors import DataError


def test_readers_share_an_environment(make_database: Callable[..., Path]) -> None:
    path = make_database()
    one, two = (LmdbFiles(path, path / DATA_FILE) for _ in range(2))
    assert len(backends._OPEN) == 1
    one.close()
    assert two.length() == len(two.keys()) == 7
    assert two.first() == b"00"
    assert two.get(b"nowhere") is None
    two.close()
    assert not backends._OPEN


def test_what_is_refused_names_the_database() -> None:
    def fail(error: Exception) -> None:
        with refusals(Path("db")):
            raise error

    with pytest.raises(DataError, match="db: the database cannot be read: bad"):
        fail(lmdb.Error("bad"))
    with pytest.raises(DataError, match="db: cannot be read: No such file"):
        fail(FileNotFoundError(2, "No such file or directory"))
