"""Databases are made whole or not at all."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from protonet.data.database import Database
from protonet.data.datum import decode, make_datum
from protonet.data.writer import DatabaseWriter
from protonet.errors import DataError, UsageError

FULL = """
import resource, sys
import numpy as np
from protonet.data.datum import make_datum
from protonet.data.writer import DatabaseWriter
from protonet.errors import DataError
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
try:
    with DatabaseWriter(sys.argv[1]) as writer:
        for index in range(400):
            writer.put(str(index).encode(), make_datum(np.zeros((1, 30, 50), np.uint8)))
except DataError as error:
    print(error)
"""


def test_many_records_in_several_transactions(tmp_path: Path) -> None:
    with DatabaseWriter(tmp_path / "db") as writer:
        for index in range(2500):
            writer.put(f"{index:05}".encode(), make_datum(np.full((1, 1, 2), index, np.float32)))
    assert [path.name for path in (tmp_path / "db").iterdir()] == ["data.mdb"]
    with Database(tmp_path / "db") as database:
        assert len(database) == 2500
        np.testing.assert_array_equal(decode(database.get(b"01234"), "db"), [[[1234, 1234]]])


def test_the_map_grows(tmp_path: Path) -> None:
    """A record larger than the map of a new database, twice doubled."""
    large = make_datum(np.arange(50 * 2**20, dtype=np.uint8).reshape(1, 1024, -1))
    with DatabaseWriter(tmp_path / "db") as writer:
        writer.put(b"small", make_datum(np.ones((1, 2, 3), np.uint8)))
        writer.put(b"large", large)
    with Database(tmp_path / "db") as database:
        assert database.keys() == [b"large", b"small"]
        assert database.get(b"large") == large


def test_much_data_is_written_early(tmp_path: Path) -> None:
    with DatabaseWriter(tmp_path / "db") as writer:
        for key in (b"1", b"2"):
            writer.put(key, make_datum(np.zeros((1, 2**10, 40 * 2**10), np.uint8)))
        assert (tmp_path / "db" / "data.mdb").stat().st_size > 80 * 2**20


def test_an_existing_path_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "db").write_text("precious")
    with pytest.raises(UsageError, match="db: exists already; remove it or choose another name"):
        DatabaseWriter(tmp_path / "db")
    assert (tmp_path / "db").read_text() == "precious"


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, ValueError])
def test_an_interrupt_removes_it(tmp_path: Path, interruption: type[BaseException]) -> None:
    def begin() -> None:
        with DatabaseWriter(tmp_path / "db") as writer:
            writer.put(b"1", make_datum(np.zeros((1, 2, 3), np.uint8)))
            raise interruption

    with pytest.raises(interruption):
        begin()
    assert not list(tmp_path.iterdir())


def test_a_key_that_lmdb_refuses(tmp_path: Path) -> None:
    with (
        pytest.raises(DataError, match="db: cannot be written"),
        DatabaseWriter(tmp_path / "db") as writer,
    ):
        writer.put(bytes(600), make_datum(np.zeros((1, 2, 3), np.uint8)))
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"file/db: cannot be written: .*Not a directory"):
        DatabaseWriter(tmp_path / "file" / "db")


def test_a_full_disk(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "db")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{tmp_path / 'db'}: cannot be written: "), done.stdout
    assert not list(tmp_path.iterdir())


def test_lmdb_that_does_not_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("protonet.data.writer._FIRST_MAP", 2**62)
    with pytest.raises(DataError, match="db: cannot be written"):
        DatabaseWriter(tmp_path / "db")
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_named_where_lmdb_speaks_of_input_and_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=4096))
    with (
        pytest.raises(DataError, match=r"the disk is full: 0 MiB are left \(.*\)"),
        DatabaseWriter(tmp_path / "db") as writer,
    ):
        writer.put(b"", make_datum(np.zeros((1, 1, 1), np.uint8)))  # LMDB takes no empty key
