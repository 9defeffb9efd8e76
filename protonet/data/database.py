"""Databases of Datum records: reading, pairing, and saying what is wrong with one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from google.protobuf.message import DecodeError

from protonet.data.backends import DATA_FILE, Backend, LmdbFiles, refusals
from protonet.data.datum import decode
from protonet.data.writer import DatabaseWriter
from protonet.errors import DataError
from protonet.formats.kind import describe
from protonet.proto.caffe_pb2 import Datum

__all__ = ["Database", "DatabaseWriter", "check_pairs", "is_leveldb"]

_DESCRIBED = 2**29
"""Bytes of the largest file that is read to say what it is."""
_SHOWN = 5
"""Keys that a message lists."""


class Database:
    """A database of Datum records, LMDB or LevelDB, opened for reading. Nothing is written.

    ``path`` is its folder; the files in it tell the kind. Several databases may be open on one
    folder.

    Raises:
        DataError: for a path that is absent, empty, damaged, or no database: says what it looks
            like.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._backend: Backend = _open(self.path)
        self._closed = False
        self._keys: list[bytes] | None = None
        try:
            self._length = self._backend.length()
            if not self._length:
                raise DataError(f"{self.path}: the database is empty: it has no records")
        except BaseException:
            self.close()
            raise

    advice = "all records of a database must have one shape: resize the images when it is made"
    """What helps where records differ in shape."""

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
        if not self._closed:
            self._closed = True
            self._backend.close()

    def keys(self) -> list[bytes]:
        """All keys, in the order of the database (that of their bytes)."""
        if self._keys is None:
            self._check_open()
            self._keys = self._backend.keys()
        return self._keys

    def get(self, key: bytes) -> Datum:
        """The record of a key.

        Raises:
            DataError: when it is absent or damaged.
        """
        self._check_open()
        value = self._backend.get(key)
        if value is None:
            raise DataError(f"{self.where(key)}: there is no such key")
        try:
            datum: Datum = Datum.FromString(value)
        except DecodeError:
            raise DataError(f"{self.where(key)}: the record is damaged: it is no Datum") from None
        return datum

    def read(self, key: bytes, *, color: bool | None = None) -> tuple[np.ndarray, int]:
        """The image of a record, (channels, height, width), and its label.

        Raises:
            DataError: when it is absent, damaged, or no image.
        """
        datum = self.get(key)
        return decode(datum, self.where(key), color=color), datum.label

    def first(self) -> tuple[bytes, Datum]:
        """The first key and its record."""
        self._check_open()
        key = self._backend.first()
        return key, self.get(key)

    def where(self, key: bytes) -> str:
        """How messages name a record: ``path: key 'k'``."""
        return f"{self.path}: key {_shown(key)}"

    def _check_open(self) -> None:
        if self._closed:
            raise DataError(f"{self.path}: the database has been closed")


def _open(path: Path) -> Backend:
    """The files of ``path`` as what they are."""
    with refusals(path):
        is_level = is_leveldb(path)
    if is_level:
        from protonet.data.leveldb import LevelFiles

        return LevelFiles(path)
    return LmdbFiles(path, _data_file(path))


def _data_file(path: Path) -> Path:
    """The data.mdb of the database at ``path``.

    Raises:
        DataError: says what ``path`` is instead, and what would work.
    """
    file = path / DATA_FILE
    with refusals(path):
        if file.is_file():
            return file
        if not path.exists():
            raise DataError(f"{path}: there is no such database")
        if path.is_file():
            raise DataError(f"{path}: is {_file_kind(path)}, but a database is a folder")
        inside = [entry for entry in sorted(path.iterdir()) if (entry / DATA_FILE).is_file()]
    if inside:
        names = ", ".join(str(entry) for entry in inside[:_SHOWN])
        raise DataError(f"{path}: is a folder of databases; give one of them: {names}")
    raise DataError(
        f"{path}: is a folder without {DATA_FILE}, so no database; "
        "protonet create-db makes one, and so does Caffe's convert_imageset --backend=lmdb"
    )


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
