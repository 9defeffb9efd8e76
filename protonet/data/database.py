"""Databases of Datum records, LMDB or LevelDB: reading, pairing, saying what is wrong with one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
from google.protobuf.message import DecodeError

from protonet.data.datum import decode
from protonet.data.leveldb_store import LEVELDB_HELP, LevelStore, can_read_leveldb, is_leveldb
from protonet.data.lmdb_store import DATA_FILE, LmdbStore
from protonet.data.wire import datum_bytes, is_annotated, parse_datum
from protonet.data.writer import DatabaseWriter
from protonet.errors import DataError
from protonet.formats.kind import describe
from protonet.proto.caffe_pb2 import AnnotatedDatum, Datum

__all__ = [
    "DATA_FILE",
    "LEVELDB_HELP",
    "Database",
    "DatabaseWriter",
    "can_read_leveldb",
    "check_pairs",
    "is_leveldb",
]

_DESCRIBED = 2**29
"""Bytes of the largest file that is read to describe it."""
_SHOWN = 5
"""Keys that a message lists."""
T = TypeVar("T")


class _Store(Protocol):
    """The bytes of a database by key."""

    def __len__(self) -> int: ...

    def keys(self) -> list[bytes]: ...

    def slice(self, begin: int, count: int) -> list[bytes]: ...

    def scan(self, function: Callable[[bytes, memoryview], None]) -> None: ...

    def first(self) -> bytes | None: ...

    def get(self, key: bytes) -> bytes | None: ...

    def use(self, key: bytes, function: Callable[[memoryview], T]) -> T | None: ...

    def close(self) -> None: ...


class Database:
    """A database of Datum records, opened for reading. Nothing is locked or written.

    ``path`` is the folder of an LMDB or a LevelDB: its files show which. Several databases may be
    open on one folder.

    Raises:
        DataError: for a path that is absent, empty, damaged, or no database: says what it looks
            like.
    """

    advice = "all records of a database must have one shape: resize the images when it is made"

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._store = _open(self.path)
        self._closed = False
        self._keys: list[bytes] | None = None
        try:
            if self._store.first() is None:
                raise DataError(f"{self.path}: the database is empty: it has no records")
        except BaseException:
            self.close()
            raise

    def __len__(self) -> int:
        return len(self._reading())

    def __iter__(self) -> Iterator[tuple[bytes, Datum]]:
        """Every key with its record, in the order of the database."""
        for key in self.keys():
            yield key, self.get(key)

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the files; idempotent."""
        if self._closed:
            return
        self._closed = True
        self._store.close()

    def keys(self) -> list[bytes]:
        """All keys, in the order of the database (that of their bytes)."""
        if self._keys is None:
            self._keys = self._reading().keys()
        return self._keys

    def some_keys(self, begin: int, count: int) -> list[bytes]:
        """Keys of the order of the database, from the one at ``begin``; not all keys are read."""
        if self._keys is not None:
            return self._keys[begin : begin + count]
        return self._reading().slice(begin, count)

    def scan(self, function: Callable[[bytes, memoryview], None]) -> None:
        """Call ``function`` with every key and a view of its record, which it must not keep.

        Raises:
            DataError: for a record that ``function`` cannot parse.
        """
        last = b""

        def call(key: bytes, record: memoryview) -> None:
            nonlocal last
            last = key
            function(key, record)

        try:
            self._reading().scan(call)
        except DecodeError:
            raise DataError(
                f"{self.where(last)}: the record is damaged: it is not a Datum"
            ) from None

    def get(self, key: bytes) -> Datum:
        """The record of a key; in a database of images with boxes the image.

        Raises:
            DataError: when it is absent or damaged.
        """
        datum: Datum = self._parsed(key, lambda value: Datum.FromString(bytes(datum_bytes(value))))
        return datum

    @property
    def has_boxes(self) -> bool:
        """Whether the records, going by the first one, are images with boxes."""
        key = self._reading().first()
        return key is not None and bool(self._reading().use(key, is_annotated))

    def annotated(self, key: bytes) -> AnnotatedDatum:
        """The record of a key in a database of images with boxes.

        Raises:
            DataError: when it is absent or damaged, or a record without boxes.
        """
        record: AnnotatedDatum = self._parsed(
            key, lambda value: AnnotatedDatum.FromString(bytes(value))
        )
        if not record.HasField("datum"):
            raise DataError(
                f"{self.where(key)}: is not an AnnotatedDatum, a record with boxes; a Data layer "
                "reads databases of plain images, protonet convert-detection makes those with boxes"
            )
        return record

    def image(self, key: bytes, *, color: bool | None = None) -> tuple[np.ndarray, int]:
        """The values of the record of a key, decoded, and its label.

        Raises:
            DataError: when it is absent or damaged.
        """
        datum, data = self._parsed(key, parse_datum)
        return decode(datum, self.where(key), color=color, data=data), datum.label

    def first(self) -> tuple[bytes, Datum]:
        """The first key and its record."""
        key = self._reading().first()
        assert key is not None, "an empty database was refused"
        return key, self.get(key)

    def where(self, key: bytes) -> str:
        """How messages name a record: ``path: key 'k'``."""
        return f"{self.path}: key {_shown(key)}"

    def _parsed(self, key: bytes, parse: Callable[[memoryview], T]) -> T:
        try:
            found = self._reading().use(key, parse)
        except DecodeError:
            raise DataError(
                f"{self.where(key)}: the record is damaged: it is not a Datum"
            ) from None
        if found is None:
            raise DataError(f"{self.where(key)}: there is no such key")
        return found

    def _reading(self) -> _Store:
        if self._closed:
            raise DataError(f"{self.path}: the database has been closed")
        return self._store


def is_database(path: Path) -> bool:
    """Whether a folder has the files of an LMDB or a LevelDB."""
    return (path / DATA_FILE).exists() or is_leveldb(path)


def _open(path: Path) -> _Store:
    """The store of the database at ``path``, recognized by its files.

    Raises:
        DataError: says what ``path`` is instead, and what would work.
    """
    try:
        if (path / DATA_FILE).is_file():
            return LmdbStore(path)
        if not path.exists():
            raise DataError(f"{path}: there is no such database")
        if path.is_file():
            raise DataError(f"{path}: is {_file_kind(path)}, but a database is a folder")
        if is_leveldb(path):
            return LevelStore(path)
        inside = [
            entry
            for entry in sorted(path.iterdir())
            if (entry / DATA_FILE).is_file() or is_leveldb(entry)
        ]
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    if inside:
        names = ", ".join(str(entry) for entry in inside[:_SHOWN])
        raise DataError(f"{path}: is a folder of databases; give one of them: {names}")
    raise DataError(
        f"{path}: is a folder without {DATA_FILE}, so no database; "
        "protonet create-db makes one, and so does Caffe's convert_imageset --backend=lmdb"
    )


def _file_kind(path: Path) -> str:
    """Describes a file given in place of a database."""
    if path.name == DATA_FILE:
        return f"the file inside a database (give its folder, {path.parent})"
    if path.stat().st_size > _DESCRIBED:
        return "a file"
    return describe(path.read_bytes())


def _shown(key: bytes) -> str:
    return repr(key.decode(errors="backslashreplace"))


def check_pairs(images: Database, labels: Database, *, by_position: bool = False) -> str | None:
    """Both databases should hold the same keys: records are read in pairs, in their order.

    With ``by_position`` equal counts suffice, as in Caffe, unless the keys of both are numbers and
    the order would pair different ones. Returns a warning for the user then.

    Raises:
        DataError: naming the counts and the first keys that lack a partner.
    """
    left, right = images.keys(), labels.keys()
    if left == right:
        return None
    counts = f"{images.path} has {len(left)} keys, {labels.path} has {len(right)}"
    if len(left) != len(right):
        problems = "; ".join(_lacking(images, labels))
        raise DataError(f"images and labels do not pair up: {counts}; {problems}")
    crossed = next(
        (
            (one, other)
            for one, other in zip(left, right, strict=True)
            if None not in (numbers := (_number(one), _number(other))) and len(set(numbers)) > 1
        ),
        None,
    )
    if crossed is not None:
        raise DataError(
            f"images and labels do not pair up: {counts}; in the order of the databases "
            f"{_shown(crossed[0])} would be paired with {_shown(crossed[1])}: keys are sorted "
            "as text: write numbers with leading zeros"
        )
    first = f"{_shown(left[0])} with {_shown(right[0])}, and so on"
    if not by_position:
        raise DataError(
            f"images and labels do not pair up: {counts}; {'; '.join(_lacking(images, labels))}\n"
            f"    by their places, as Caffe pairs them, it would be {first}: --by-position"
        )
    return (
        f"{images.path} and {labels.path} have different keys: paired by their places, as in "
        f"Caffe: {first}"
    )


def _number(key: bytes) -> int | None:
    """The number that a key begins with."""
    digits = key[: len(key) - len(key.lstrip(b"0123456789"))]
    return int(digits) if digits else None


def _lacking(images: Database, labels: Database) -> Iterator[str]:
    """Which keys of one are not in the other, in words."""
    left, right = images.keys(), labels.keys()
    for given, expected, database in ((left, right, images), (right, left, labels)):
        missing = sorted(set(expected) - set(given))
        if missing:
            more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
            listed = ", ".join(map(_shown, missing[:_SHOWN]))
            yield f"{database.path} lacks {listed}{more}"
