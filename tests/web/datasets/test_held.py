"""Databases that are kept open are opened once."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from protonet.data import lmdb_store
from protonet.data.database import Database
from protonet.data.datum import make_datum
from protonet.data.writer import DatabaseWriter
from protonet.errors import DataError
from protonet.web.datasets import held as module
from protonet.web.datasets.held import HeldDatabases


def write(path: Path) -> Path:
    with DatabaseWriter(path) as writer:
        writer.put(b"0", make_datum(np.zeros((1, 2, 3), np.uint8)))
    return path


def test_pages_are_walked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    walked: list[Path] = []
    original = lmdb_store.check_pages

    def counted(file: Path, name: str) -> None:
        walked.append(file)
        original(file, name)

    monkeypatch.setattr(lmdb_store, "check_pages", counted)
    monkeypatch.setattr(module, "_HELD", 2)
    paths = [write(tmp_path / name) for name in "abc"]
    held = HeldDatabases()
    for _ in range(3):
        held.hold(paths[0])
        Database(paths[0]).close()
    assert len(walked) == 1
    os.utime(paths[0] / "data.mdb", (1, 1))
    held.hold(paths[0])
    Database(paths[0]).close()
    assert len(walked) == 2
    held.hold(paths[1])
    held.hold(paths[2])  # the first one goes
    Database(paths[1]).close()
    assert len(walked) == 4
    Database(paths[0]).close()
    assert len(walked) == 5
    held.forget(paths[1])
    Database(paths[1]).close()
    assert len(walked) == 6
    held.close()
    Database(paths[2]).close()
    assert len(walked) == 7
    with pytest.raises(DataError, match="there is no such database"):
        held.hold(tmp_path / "nowhere")
    held.close()
