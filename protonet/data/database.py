"""LMDB databases of Datum records: reading, writing, and saying what is wrong with one."""

from __future__ import annotations

import contextlib
import os
import shutil
import struct
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lmdb
from google.protobuf.message import DecodeError

from protonet.errors import DataError, UsageError
from protonet.proto.caffe_pb2 import Datum

_MAGIC = struct.pack("<I", 0xBEEFC0DE)
_PAGE_SIZE_AT, _LAST_PAGE_AT, _META_END = 40, 136, 152
"""Offsets inside a meta page (lmdb.h, struct MDB_meta behind a 16-byte page header): the page
size, the number of the last page in use, the end."""

_SHARED: dict[str, _Environment] = {}
_LOCK = threading.Lock()


@dataclass
class _Environment:
    """An open LMDB environment and how many databases use it: LMDB forbids opening one twice in
    a process."""

    handle: Any
    users: int = 0


class Database:
    """An LMDB of Datum records, opened for reading. Nothing is locked or written.

    Raises:
        DataError: for a path that is absent, empty, damaged, or no LMDB: says what it looks like.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._real = str(_data_file(self.path).parent.resolve())
        with _LOCK:
            if self._real not in _SHARED:
                _SHARED[self._real] = _Environment(_open(self.path))
            self._environment = _SHARED[self._real]
            self._environment.users += 1
        self._keys: list[bytes] | None = None
        self._closed = False
        try:
            self._length = self._environment.handle.stat()["entries"]
            if self._length == 0:
                raise DataError(f"{self.path}: the database is empty")
        except (lmdb.Error, DataError):
            self.close()
            raise

    def __len__(self) -> int:
        return int(self._length)

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the files; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        with _LOCK:
            self._environment.users -= 1
            if self._environment.users == 0:
                self._environment.handle.close()
                del _SHARED[self._real]

    def keys(self) -> list[bytes]:
        """All keys in the order of the database."""
        if self._keys is None:
            with self._reading(), self._environment.handle.begin() as transaction:
                self._keys = list(transaction.cursor().iternext(keys=True, values=False))
        return self._keys

    def get(self, key: bytes) -> Datum:
        """The record of a key.

        Raises:
            DataError: when it is absent or damaged.
        """
        with self._reading(), self._environment.handle.begin(buffers=True) as transaction:
            value = transaction.get(key)
            if value is None:
                raise DataError(f"{self.where(key)}: there is no such key")
            return self._parse(key, bytes(value))

    def first(self) -> Datum:
        """The record of the first key."""
        with self._reading(), self._environment.handle.begin(buffers=True) as transaction:
            cursor = transaction.cursor()
            cursor.first()
            return self._parse(bytes(cursor.key()), bytes(cursor.value()))

    def items(self) -> Iterator[tuple[bytes, Datum]]:
        """Every key with its record, in order."""
        for key in self.keys():
            yield key, self.get(key)

    def where(self, key: bytes) -> str:
        """How messages name a record: ``path: key 'k'``."""
        return f"{self.path}: key {key.decode(errors='backslashreplace')!r}"

    def _parse(self, key: bytes, value: bytes) -> Datum:
        try:
            return Datum.FromString(value)
        except DecodeError:
            raise DataError(f"{self.where(key)}: the record is damaged: it is no Datum") from None

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except lmdb.Error as error:
            raise DataError(f"{self.path}: the database is damaged ({error})") from error


def _data_file(path: Path) -> Path:
    """The data.mdb of a database given as its folder or as the file itself."""
    if not path.exists():
        raise DataError(f"{path}: there is no such database")
    if path.is_file():
        if path.name == "data.mdb":
            return path
        raise DataError(f"{path}: is a file, but an LMDB is a folder that holds data.mdb")
    file = path / "data.mdb"
    if file.exists():
        return file
    names = sorted(os.listdir(path))
    if "CURRENT" in names or any(name.endswith(".ldb") for name in names):
        raise DataError(f"{path}: is a LevelDB; convert it to an LMDB")
    inside = [name for name in names if (path / name / "data.mdb").exists()]
    hint = f"; did you mean {path / inside[0]}?" if inside else ""
    raise DataError(f"{path}: is a folder without data.mdb, so no LMDB{hint}")


def _open(path: Path) -> Any:
    """An LMDB environment, after a look at the file: LMDB itself trusts what it maps."""
    file = _data_file(path)
    try:
        size = file.stat().st_size
        with file.open("rb") as handle:
            head = handle.read(8192)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    if len(head) < _META_END or head[16:20] != _MAGIC:
        raise DataError(f"{path}: data.mdb is damaged or no LMDB")
    (page,) = struct.unpack_from("<I", head, _PAGE_SIZE_AT)
    last = max(
        struct.unpack_from("<Q", head, at + _LAST_PAGE_AT)[0]
        for at in (0, page)
        if at + _META_END <= len(head)
    )
    if page not in (512 << i for i in range(8)) or (last + 1) * page > size:
        raise DataError(
            f"{path}: data.mdb is damaged or cut short: it has {size} bytes, but its header "
            f"speaks of {(last + 1) * page}"
        )
    try:
        return lmdb.open(
            str(file.parent), readonly=True, lock=False, readahead=True, max_readers=1024
        )
    except lmdb.Error as error:
        raise DataError(f"{path}: cannot be opened: {error}") from error


def check_pairs(images: Database, labels: Database) -> None:
    """Both databases must hold the same keys: records are paired by key.

    Raises:
        DataError: naming the counts and the first keys that lack a partner.
    """
    left, right = images.keys(), labels.keys()
    if left == right:
        return
    problems = []
    for one, other, database in ((left, right, labels), (right, left, images)):
        missing = sorted(set(one) - set(other))
        if missing:
            shown = ", ".join(repr(key.decode(errors="backslashreplace")) for key in missing[:5])
            more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            problems.append(f"{database.path} lacks {shown}{more}")
    raise DataError(
        f"images and labels do not pair up: {images.path} has {len(left)} keys, {labels.path} has "
        f"{len(right)}; " + "; ".join(problems)
    )


class DatabaseWriter:
    """Makes a new LMDB of Datum records; its map grows as needed.

    Used as a context manager: leaving it well commits and flushes; leaving it by an error
    removes the folder.

    Raises:
        UsageError: when ``path`` exists.
        DataError: when the disk is full or the folder cannot be made.
    """

    BATCH = 1000

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if self.path.exists():
            raise UsageError(f"{self.path}: exists already; remove it or choose another name")
        self._pending: list[tuple[bytes, bytes]] = []
        with self._writing():
            self.path.mkdir(parents=True)
            self._environment = lmdb.open(str(self.path), map_size=2**24, lock=False)

    def put(self, key: bytes, datum: Datum) -> None:
        """Add a record; it is on disk after the next batch or ``close``."""
        self._pending.append((key, datum.SerializeToString()))
        if len(self._pending) >= self.BATCH:
            self._commit(self._pending)

    def _commit(self, records: Iterable[tuple[bytes, bytes]]) -> None:
        with self._writing():
            while True:
                try:
                    with self._environment.begin(write=True) as transaction:
                        for key, value in records:
                            transaction.put(key, value)
                    break
                except lmdb.MapFullError:
                    self._environment.set_mapsize(self._environment.info()["map_size"] * 2)
        self._pending = []

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except (lmdb.Error, OSError) as error:
            raise DataError(f"{self.path}: cannot be written: {error}") from error

    def close(self) -> None:
        """Write what is pending and flush it to the disk."""
        self._commit(self._pending)
        with self._writing():
            self._environment.sync(True)
            self._environment.close()

    def discard(self) -> None:
        """Remove the database."""
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
