"""The files of databases: keys and values, LMDB."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import lmdb

from protonet.data.pages import check_pages
from protonet.errors import DataError

DATA_FILE = "data.mdb"


class Backend(Protocol):
    """An open database of keys and values, in the order of the keys' bytes."""

    def length(self) -> int:
        """The number of records."""

    def keys(self) -> list[bytes]:
        """All keys."""

    def first(self) -> bytes:
        """The first key."""

    def get(self, key: bytes) -> bytes | None:
        """The value of a key; None where there is none."""

    def close(self) -> None:
        """Let go of the files."""


@dataclass
class _Environment:
    """An open LMDB environment and how many databases use it."""

    handle: Any
    users: int = 0


_OPEN: dict[tuple[int, int], _Environment] = {}
"""Open environments by device and inode. LMDB forbids opening one twice in a process, and both
the training and the test net may read the same database."""
_OPENING = threading.Lock()


class LmdbFiles:
    """An LMDB, opened for reading; nothing is locked.

    Raises:
        DataError: for files that are damaged.
    """

    def __init__(self, path: Path, file: Path) -> None:
        self._path = path
        with _OPENING, refusals(path):
            status = file.stat()
            self._identity = (status.st_dev, status.st_ino)
            if self._identity not in _OPEN:
                check_pages(file, str(path))
                handle = lmdb.open(str(path), readonly=True, lock=False)
                _OPEN[self._identity] = _Environment(handle)
            self._environment = _OPEN[self._identity]
            self._environment.users += 1

    def length(self) -> int:
        """The number of records."""
        return int(self._environment.handle.stat()["entries"])

    def keys(self) -> list[bytes]:
        """All keys."""
        with self._reading() as transaction:
            return list(transaction.cursor().iternext(keys=True, values=False))

    def first(self) -> bytes:
        """The first key."""
        with self._reading() as transaction:
            cursor = transaction.cursor()
            cursor.first()
            key: bytes = cursor.key()
        return key

    def get(self, key: bytes) -> bytes | None:
        """The value of a key; None where there is none."""
        with self._reading() as transaction:
            value: bytes | None = transaction.get(key)
        return value

    def close(self) -> None:
        """Let go of the files."""
        with _OPENING:
            self._environment.users -= 1
            if not self._environment.users:
                self._environment.handle.close()
                del _OPEN[self._identity]

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Any]:
        with refusals(self._path), self._environment.handle.begin() as transaction:
            yield transaction


@contextlib.contextmanager
def refusals(path: Path) -> Iterator[None]:
    """What LMDB and the system refuse, as DataError."""
    try:
        yield
    except lmdb.Error as error:
        raise DataError(f"{path}: the database cannot be read: {error}") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
