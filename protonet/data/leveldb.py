"""LevelDB: what Caffe wrote by default. Read without touching its folder."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from protonet.errors import DataError

_TABLES = (".ldb", ".sst")


class LevelFiles:
    """A LevelDB, opened for reading.

    LevelDB writes to the folder that it opens, even to read. So it is given another one: the
    tables, which never change, as links, and copies of the few small files around them.

    Raises:
        DataError: without plyvel, or for files that are damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._folder = TemporaryDirectory(prefix="protonet-leveldb-")
        try:
            _link(path, Path(self._folder.name))
            self._handle = _plyvel().DB(self._folder.name, create_if_missing=False)
        except DataError:
            self._folder.cleanup()
            raise
        except Exception as error:
            self._folder.cleanup()
            raise DataError(f"{path}: the LevelDB cannot be read: {error}") from error
        self._keys: list[bytes] | None = None
        self._reading = threading.Lock()

    def length(self) -> int:
        """The number of records; LevelDB has to count them."""
        return len(self.keys())

    def keys(self) -> list[bytes]:
        """All keys."""
        if self._keys is None:
            try:
                self._keys = [bytes(key) for key in self._handle.iterator(include_value=False)]
            except Exception as error:
                raise self._unreadable(error) from error
        return self._keys

    def first(self) -> bytes:
        """The first key."""
        return self.keys()[0]

    def get(self, key: bytes) -> bytes | None:
        """The value of a key; None where there is none."""
        try:
            value: bytes | None = self._handle.get(key)
        except Exception as error:
            raise self._unreadable(error) from error
        return value

    def close(self) -> None:
        """Let go of the files."""
        with self._reading:
            self._handle.close()
            self._folder.cleanup()

    def _unreadable(self, error: Exception) -> DataError:
        return DataError(f"{self._path}: the LevelDB cannot be read: {error}")


def _link(source: Path, target: Path) -> None:
    """Links to the tables, copies of the rest but the lock and logs for people."""
    try:
        for entry in source.iterdir():
            if entry.suffix in _TABLES:
                (target / entry.name).symlink_to(entry.resolve())
            elif (
                entry.name == "CURRENT"
                or entry.name.startswith("MANIFEST-")
                or entry.suffix == ".log"
            ):
                shutil.copy(entry, target)
    except OSError as error:
        raise DataError(f"{source}: cannot be read: {error.strerror}") from error


def _plyvel() -> Any:
    try:
        import plyvel
    except ImportError as error:
        raise DataError(
            "this is a LevelDB, which needs plyvel: pip install 'protonet[leveldb]'; or make it "
            "again with Caffe's convert_imageset --backend=lmdb"
        ) from error
    return plyvel
