"""The bytes of an LMDB, by key. Nothing is locked or written."""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import lmdb

from protonet.data.lmdb_pages import check_pages
from protonet.errors import DataError

DATA_FILE = "data.mdb"
LIBRARY: dict[str, Any] = {"lib_version": 0} if hasattr(lmdb.Environment, "lib_version") else {}
"""What new databases are made with. py-lmdb 3 carries two libraries with a format each; Caffe reads
that of LMDB 0.9, whatever LMDB_DEFAULT_LIB_VERSION says."""
T = TypeVar("T")


@dataclass
class _Environment:
    """An open LMDB environment and how many stores use it."""

    handle: Any
    file: int
    size: int
    users: int = 0


_OPEN: dict[tuple[int, int], _Environment] = {}
"""Open environments by device and inode. LMDB forbids opening one twice in a process, and both
the training and the test net may read the same database."""
_OPENING = threading.Lock()


class LmdbStore:
    """The folder ``path`` with its data.mdb. Several stores may be open on one folder.

    Raises:
        DataError: where the file is damaged or may not be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        file = path / DATA_FILE
        with _OPENING, _refusals(path):
            status = file.stat()
            self._identity = (status.st_dev, status.st_ino)
            if self._identity not in _OPEN:
                check_pages(file, str(path))
                handle = lmdb.open(str(path), readonly=True, lock=False)
                _OPEN[self._identity] = _Environment(
                    handle, os.open(file, os.O_RDONLY), status.st_size
                )
            self._environment = _OPEN[self._identity]
            self._environment.users += 1

    def __len__(self) -> int:
        return int(self._environment.handle.stat()["entries"])

    def close(self) -> None:
        """Close the file; called once."""
        with _OPENING:
            self._environment.users -= 1
            if not self._environment.users:
                self._environment.handle.close()
                os.close(self._environment.file)
                del _OPEN[self._identity]

    def keys(self) -> list[bytes]:
        """All keys, in the order of their bytes."""
        with self._reading() as transaction:
            return list(transaction.cursor().iternext(keys=True, values=False))

    def slice(self, begin: int, count: int) -> list[bytes]:
        """Some keys in the order of their bytes; those before are passed over."""
        with self._reading(buffers=True) as transaction:
            keys = transaction.cursor().iternext(keys=True, values=False)
            return [bytes(key) for key in itertools.islice(keys, begin, begin + count)]

    def scan(self, function: Callable[[bytes, memoryview], None]) -> None:
        """Call ``function`` with every key and a view of its value, which it must not keep."""
        with self._reading(buffers=True) as transaction:
            for key, value in transaction.cursor().iternext(keys=True, values=True):
                function(bytes(key), value)

    def first(self) -> bytes | None:
        """The first key; None where there is none."""
        with self._reading() as transaction:
            cursor = transaction.cursor()
            return bytes(cursor.key()) if cursor.first() else None

    def get(self, key: bytes) -> bytes | None:
        """The value of a key; None where there is none."""
        with self._reading() as transaction:
            value: bytes | None = transaction.get(key)
            return value

    def use(self, key: bytes, function: Callable[[memoryview], T]) -> T | None:
        """Call ``function`` with a view of the value; it must not keep the view.

        None where there is no such key.
        """
        with self._reading(buffers=True) as transaction:
            value = transaction.get(key)
            return None if value is None else function(value)

    @contextlib.contextmanager
    def _reading(self, *, buffers: bool = False) -> Iterator[Any]:
        handle = self._environment.handle
        # Touching mapped memory beyond the end of the file is a SIGBUS.
        if os.fstat(self._environment.file).st_size < self._environment.size:
            raise DataError(f"{self.path}: the database was cut short while it was being read")
        with _refusals(self.path), handle.begin(buffers=buffers) as transaction:
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
