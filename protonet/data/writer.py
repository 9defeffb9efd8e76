"""Making LMDB databases of Datum records."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lmdb

from protonet.errors import DataError, UsageError
from protonet.proto.caffe_pb2 import Datum

_FIRST_MAP = 2**24
"""Bytes that a new database may grow to before its map is doubled."""
_BATCH_RECORDS, _BATCH_BYTES = 1000, 2**26
"""What one transaction writes at most."""


class DatabaseWriter:
    """Makes a new LMDB at ``path``, to be used in a ``with`` block.

    Leaving the block well commits and flushes; leaving it by an error or an interrupt removes the
    folder.

    Raises:
        UsageError: when ``path`` exists.
        DataError: when the disk is full, or the folder cannot be made or written to.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._environment: Any = None
        self._pending: list[tuple[bytes, bytes]] = []
        self._pending_bytes = 0
        try:
            with self._writing():
                self.path.mkdir(parents=True)
        except FileExistsError:
            raise UsageError(
                f"{self.path}: exists already; remove it or choose another name"
            ) from None
        try:
            with self._writing():
                self._environment = lmdb.open(str(self.path), map_size=_FIRST_MAP, lock=False)
        except BaseException:
            self.discard()
            raise

    def put(self, key: bytes, datum: Datum) -> None:
        """Add a record; it is on disk once the block has ended."""
        value = datum.SerializeToString()
        self._pending.append((key, value))
        self._pending_bytes += len(value)
        if len(self._pending) >= _BATCH_RECORDS or self._pending_bytes >= _BATCH_BYTES:
            self._commit()

    def close(self) -> None:
        """Write what is pending and flush it to the disk."""
        self._commit()
        with self._writing():
            self._environment.sync(True)
            self._environment.close()
            folder = os.open(self.path, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def discard(self) -> None:
        """Remove the database."""
        if self._environment is not None:
            self._environment.close()
        shutil.rmtree(self.path, ignore_errors=True)

    def __enter__(self) -> DatabaseWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.discard()
            return
        try:
            self.close()
        except BaseException:
            self.discard()
            raise

    def _commit(self) -> None:
        with self._writing():
            while not self._fits():
                size = self._environment.info()["map_size"]
                self._environment.set_mapsize(2 * size)
        self._pending.clear()
        self._pending_bytes = 0

    def _fits(self) -> bool:
        """Write the pending records in one transaction; False where the map is too small."""
        try:
            with self._environment.begin(write=True) as transaction:
                for key, value in self._pending:
                    transaction.put(key, value)
        except lmdb.MapFullError:
            return False
        return True

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except FileExistsError:
            raise
        except (lmdb.Error, OSError) as error:
            raise DataError(f"{self.path}: cannot be written: {error}") from error
