"""Making databases of Datum records: LMDB, or LevelDB."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import lmdb

from protonet.data.leveldb_store import LevelSink
from protonet.data.lmdb_store import LIBRARY
from protonet.errors import DataError, UsageError
from protonet.proto.caffe_pb2 import AnnotatedDatum, Datum

Pairs = Sequence[tuple[bytes, bytes]]
"""Keys with values."""

_FIRST_MAP = 2**24
"""Bytes that a new database may grow to before its map is doubled."""
_FULL = 2**20
"""Bytes below which a disk is full."""
_BATCH_RECORDS, _BATCH_BYTES = 250, 2**26
"""What one transaction writes. Not a matter of time: the same records make the same file."""


class _Sink(Protocol):
    """A database to write to; writes are atomic."""

    @property
    def refused(self) -> tuple[type[Exception], ...]:
        """What the library raises."""

    def __len__(self) -> int: ...

    def first(self) -> bytes | None: ...

    def write(self, pairs: Pairs) -> None: ...

    def close(self) -> None: ...


class DatabaseWriter:
    """Makes a database at ``path``, to be used in a ``with`` block.

    On success the block commits and flushes; on an error or an interrupt the folder is removed.

    Args:
        path: the folder.
        backend: "lmdb" or "leveldb".
        resume: append to an existing database. An error then keeps the records put before it.

    Raises:
        UsageError: when ``path`` exists, without ``resume``.
        DataError: when the disk is full, the folder cannot be made or written to, or plyvel is
            needed and missing.
    """

    def __init__(self, path: str | Path, *, backend: str = "lmdb", resume: bool = False) -> None:
        self.path = Path(path)
        self._resume = resume
        self._sink: _Sink | None = None
        self._pending: list[tuple[bytes, bytes]] = []
        self._pending_bytes = 0
        try:
            with self._writing():
                self.path.mkdir(parents=True, exist_ok=resume)
        except FileExistsError:
            raise UsageError(
                f"{self.path}: exists already; remove it or choose another name"
            ) from None
        try:
            with self._writing():
                self._sink = LevelSink(self.path) if backend == "leveldb" else _LmdbSink(self.path)
        except BaseException:
            self._leave()
            raise

    def __len__(self) -> int:
        """The records that are on the disk."""
        return len(self._open())

    def first(self) -> Datum | None:
        """The first record on the disk."""
        with self._writing():
            value = self._open().first()
        return None if value is None else Datum.FromString(value)

    def put(self, key: bytes, record: Datum | AnnotatedDatum | bytes) -> None:
        """Add a record, which may be serialized; it is on disk once the block has ended."""
        value = record if isinstance(record, bytes) else record.SerializeToString()
        self._pending.append((key, value))
        self._pending_bytes += len(value)
        if len(self._pending) >= _BATCH_RECORDS or self._pending_bytes >= _BATCH_BYTES:
            self._commit()

    def close(self) -> None:
        """Write what is pending and flush it to the disk."""
        self._commit()
        with self._writing():
            self._open().close()
            folder = os.open(self.path, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def __enter__(self) -> DatabaseWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._leave()
            return
        try:
            self.close()
        except BaseException:
            self._leave()
            raise

    def _leave(self) -> None:
        """After an error: commit what is pending, or remove the database."""
        if self._sink is not None:
            with contextlib.suppress(DataError):
                if self._resume:
                    self._commit()
            with contextlib.suppress(*self._sink.refused, OSError):
                self._sink.close()
        if not self._resume:
            shutil.rmtree(self.path, ignore_errors=True)

    def _open(self) -> _Sink:
        assert self._sink is not None, "it is open from its making on"
        return self._sink

    def _commit(self) -> None:
        if self._pending:
            with self._writing():
                self._open().write(self._pending)
        self._pending.clear()
        self._pending_bytes = 0

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        refused: tuple[type[Exception], ...] = (lmdb.Error, OSError)
        if self._sink is not None:
            refused += self._sink.refused
        try:
            yield
        except FileExistsError:
            raise
        except refused as error:
            raise DataError(f"{self.path}: cannot be written: {self._reason(error)}") from error

    def _reason(self, error: Exception) -> str:
        """What went wrong: LMDB calls a full disk an input/output error."""
        if isinstance(error, lmdb.Error):
            with contextlib.suppress(OSError):
                free = shutil.disk_usage(self.path).free
                if free < max(_FULL, self._pending_bytes):
                    return f"the disk is full: {free // 2**20} MiB are left ({error})"
        return str(error)


class _LmdbSink:
    """An LMDB whose map grows with it."""

    refused: tuple[type[Exception], ...] = (lmdb.Error,)

    def __init__(self, path: Path) -> None:
        self._environment: Any = lmdb.open(str(path), map_size=_FIRST_MAP, lock=False, **LIBRARY)

    def __len__(self) -> int:
        return int(self._environment.stat()["entries"])

    def first(self) -> bytes | None:
        with self._environment.begin() as transaction:
            cursor = transaction.cursor()
            return bytes(cursor.value()) if cursor.first() else None

    def write(self, pairs: Pairs) -> None:
        while not self._fits(pairs):
            self._environment.set_mapsize(2 * self._environment.info()["map_size"])

    def close(self) -> None:
        try:
            self._environment.sync(True)
        finally:
            self._environment.close()

    def _fits(self, pairs: Pairs) -> bool:
        """Write in one transaction; False where the map is too small."""
        try:
            with self._environment.begin(write=True) as transaction:
                for key, value in pairs:
                    transaction.put(key, value)
        except lmdb.MapFullError:
            return False
        return True
