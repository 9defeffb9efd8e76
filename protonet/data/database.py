"""LMDB databases of Datum records: reading, pairing, and saying what is wrong with one."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lmdb
from google.protobuf.message import DecodeError

from protonet.data.pages import check_pages
from protonet.data.writer import DatabaseWriter
from protonet.errors import DataError
from protonet.formats.kind import describe
from protonet.proto.caffe_pb2 import Datum

__all__ = ["LEVELDB_HELP", "Database", "DatabaseWriter", "check_pairs", "is_leveldb"]

DATA_FILE = "data.mdb"

_DESCRIBED = 2**29
"""Bytes of the largest file that is read to say what it is."""
_SHOWN = 5
"""Keys that a message lists."""


@dataclass
class _Environment:
    """An open LMDB environment and how many databases use it."""

    handle: Any
    users: int = 0


_OPEN: dict[tuple[int, int], _Environment] = {}
"""Open environments by device and inode. LMDB forbids opening one twice in a process, and both
the training and the test net may read the same database."""
_OPENING = threading.Lock()


class Database:
    """An LMDB of Datum records, opened for reading. Nothing is locked or written.

    ``path`` is the folder that holds data.mdb. Several databases may be open on one folder.

    Raises:
        DataError: for a path that is absent, empty, damaged, or no LMDB: says what it looks like.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._closed = True
        file = _data_file(self.path)
        with _OPENING, _refusals(self.path):
            status = file.stat()
            self._identity = (status.st_dev, status.st_ino)
            if self._identity not in _OPEN:
                check_pages(file, str(self.path))
                handle = lmdb.open(str(self.path), readonly=True, lock=False)
                _OPEN[self._identity] = _Environment(handle)
            self._environment = _OPEN[self._identity]
            self._environment.users += 1
        self._closed = False
        self._keys: list[bytes] | None = None
        self._length = int(self._environment.handle.stat()["entries"])
        if not self._length:
            self.close()
            raise DataError(f"{self.path}: the database is empty: it has no records")

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[tuple[bytes, Datum]]:
        """Every key with its record, in the order of the database."""
        for key in self.keys():
            yield key, self.get(key)

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the files; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        with _OPENING:
            self._environment.users -= 1
            if not self._environment.users:
                self._environment.handle.close()
                del _OPEN[self._identity]

    def keys(self) -> list[bytes]:
        """All keys, in the order of the database (that of their bytes)."""
        if self._keys is None:
            with self._reading() as transaction:
                self._keys = list(transaction.cursor().iternext(keys=True, values=False))
        return self._keys

    def get(self, key: bytes) -> Datum:
        """The record of a key.

        Raises:
            DataError: when it is absent or damaged.
        """
        with self._reading() as transaction:
            value = transaction.get(key)
        if value is None:
            raise DataError(f"{self.where(key)}: there is no such key")
        try:
            datum: Datum = Datum.FromString(value)
        except DecodeError:
            raise DataError(f"{self.where(key)}: the record is damaged: it is no Datum") from None
        return datum

    def first(self) -> tuple[bytes, Datum]:
        """The first key and its record."""
        with self._reading() as transaction:
            cursor = transaction.cursor()
            cursor.first()
            key: bytes = cursor.key()
        return key, self.get(key)

    def where(self, key: bytes) -> str:
        """How messages name a record: ``path: key 'k'``."""
        return f"{self.path}: key {_shown(key)}"

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Any]:
        if self._closed:
            raise DataError(f"{self.path}: the database has been closed")
        with _refusals(self.path), self._environment.handle.begin() as transaction:
            yield transaction


@contextlib.contextmanager
def _refusals(path: Path) -> Iterator[None]:
    """What LMDB and the system refuse, as DataError."""
    try:
        yield
    except lmdb.Error as error:
        raise DataError(f"{path}: the database cannot be read: {error}") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error


def _data_file(path: Path) -> Path:
    """The data.mdb of the database at ``path``.

    Raises:
        DataError: says what ``path`` is instead, and what would work.
    """
    file = path / DATA_FILE
    with _refusals(path):
        if file.is_file():
            return file
        if not path.exists():
            raise DataError(f"{path}: there is no such database")
        if path.is_file():
            raise DataError(f"{path}: is {_file_kind(path)}, but a database is a folder")
        if is_leveldb(path):
            raise DataError(f"{path}: is a LevelDB, but only LMDB can be read; {LEVELDB_HELP}")
        inside = [entry for entry in sorted(path.iterdir()) if (entry / DATA_FILE).is_file()]
    if inside:
        names = ", ".join(str(entry) for entry in inside[:_SHOWN])
        raise DataError(f"{path}: is a folder of databases; give one of them: {names}")
    raise DataError(
        f"{path}: is a folder without {DATA_FILE}, so no database; "
        "protonet create-db makes one, and so does Caffe's convert_imageset --backend=lmdb"
    )


LEVELDB_HELP = "make it again with Caffe's convert_imageset --backend=lmdb"


def is_leveldb(path: Path) -> bool:
    """Whether ``path`` is the folder of a LevelDB."""
    return (path / "CURRENT").is_file() and any(path.glob("MANIFEST-*"))


def _file_kind(path: Path) -> str:
    """What a file is that was given in place of a database."""
    if path.name == DATA_FILE:
        return f"the file inside a database (give its folder, {path.parent})"
    if path.stat().st_size > _DESCRIBED:
        return "a file"
    return describe(path.read_bytes())


def _shown(key: bytes) -> str:
    return repr(key.decode(errors="backslashreplace"))


def check_pairs(images: Database, labels: Database) -> None:
    """Both databases must hold the same keys: records are paired by key.

    Raises:
        DataError: naming the counts and the first keys that lack a partner.
    """
    left, right = images.keys(), labels.keys()
    if left == right:
        return
    problems = []
    for given, expected, database in ((left, right, images), (right, left, labels)):
        missing = sorted(set(expected) - set(given))
        if missing:
            more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
            listed = ", ".join(map(_shown, missing[:_SHOWN]))
            problems.append(f"{database.path} lacks {listed}{more}")
    raise DataError(
        f"images and labels do not pair up: {images.path} has {len(left)} keys, {labels.path} has "
        f"{len(right)}; {'; '.join(problems)}"
    )
