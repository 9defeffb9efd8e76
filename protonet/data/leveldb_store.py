"""The bytes of a LevelDB, by key. Needs plyvel, the extra ``leveldb``."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from protonet.errors import DataError

LEVELDB_HELP = (
    "pip install 'protonet[leveldb]', or make it again with Caffe's convert_imageset --backend=lmdb"
)

T = TypeVar("T")
_NOT_LINKED = frozenset({"LOCK", "LOG", "LOG.old"})


def is_leveldb(path: Path) -> bool:
    """Whether ``path`` is the folder of a LevelDB."""
    return (path / "CURRENT").is_file() and any(path.glob("MANIFEST-*"))


def can_read_leveldb() -> bool:
    """Whether plyvel is installed."""
    try:
        import plyvel  # noqa: F401  (only asked for)
    except ImportError:
        return False
    return True


class LevelStore:
    """The folder ``path`` of a LevelDB. Several stores, of several processes, may read one.

    LevelDB itself locks a folder and rewrites its journal even to read it. So it is given a
    temporary folder of links to the files, and the real one stays unchanged.

    Raises:
        DataError: without plyvel, and where the database is damaged or may not be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._keys: list[bytes] | None = None
        if not can_read_leveldb():
            raise DataError(f"{path}: is a LevelDB, which needs plyvel: {LEVELDB_HELP}")
        import plyvel

        self._refused = (plyvel.Error, plyvel.CorruptionError, plyvel.IOError)
        links = Path(tempfile.mkdtemp(prefix="protonet-leveldb-"))
        try:
            with self._refusals():
                for file in path.resolve().iterdir():
                    if file.name not in _NOT_LINKED:
                        (links / file.name).symlink_to(file)
                self._handle = plyvel.DB(str(links), create_if_missing=False, paranoid_checks=True)
        except BaseException:
            shutil.rmtree(links, ignore_errors=True)
            raise
        self._finalizer = weakref.finalize(self, _close, self._handle, links)

    def __len__(self) -> int:
        return len(self.keys())

    def close(self) -> None:
        """Close the files."""
        self._finalizer()

    def keys(self) -> list[bytes]:
        """All keys, in the order of their bytes: the whole database is read for them."""
        if self._keys is None:
            with self._reader() as reader:
                keys = []
                while reader.valid():
                    keys.append(reader.key())
                    reader.next()
                self._keys = keys
        return self._keys

    def slice(self, begin: int, count: int) -> list[bytes]:
        """Some keys in the order of their bytes."""
        return self.keys()[begin : begin + count]

    def scan(self, function: Callable[[bytes, memoryview], None]) -> None:
        """Call ``function`` with every key and a view of its value, which it must not keep."""
        for key in self.keys():
            value = self.get(key)
            if value is not None:
                function(key, memoryview(value))

    def first(self) -> bytes | None:
        """The first key; None where there is none."""
        with self._reader() as reader:
            return reader.key() if reader.valid() else None

    def get(self, key: bytes) -> bytes | None:
        """The value of a key; None where there is none."""
        with self._refusals():
            value: bytes | None = self._handle.get(key, verify_checksums=True)
            return value

    def use(self, key: bytes, function: Callable[[memoryview], T]) -> T | None:
        """What ``function`` makes of a value; None where there is no such key."""
        value = self.get(key)
        return None if value is None else function(memoryview(value))

    @contextlib.contextmanager
    def _reader(self) -> Iterator[Any]:
        """At the first record. plyvel's plain iterator takes a damaged first block for the end."""
        with (
            self._refusals(),
            contextlib.closing(
                self._handle.raw_iterator(verify_checksums=True, fill_cache=False)
            ) as reader,
        ):
            reader.seek_to_first()
            yield reader

    @contextlib.contextmanager
    def _refusals(self) -> Iterator[None]:
        """What LevelDB and the system refuse, as DataError."""
        try:
            yield
        except self._refused as error:
            reason = error.args[0] if error.args else error
            if isinstance(reason, bytes):
                reason = reason.decode(errors="replace")
            raise DataError(f"{self.path}: the database cannot be read: {reason}") from error
        except OSError as error:
            raise DataError(f"{self.path}: cannot be read: {error.strerror}") from error


class LevelSink:
    """A LevelDB at the folder ``path`` to write to; it is made where there is none.

    Raises:
        DataError: without plyvel.
    """

    def __init__(self, path: Path) -> None:
        if not can_read_leveldb():
            raise DataError(
                f"{path}: a LevelDB needs plyvel: pip install 'protonet[leveldb]', or choose lmdb"
            )
        import plyvel

        self.refused: tuple[type[Exception], ...] = (plyvel.Error,)
        self._handle = plyvel.DB(str(path), create_if_missing=True)

    def __len__(self) -> int:
        return sum(1 for _ in self._handle.iterator(include_value=False))

    def first(self) -> bytes | None:
        """The value of the first key; None where there is none."""
        value: bytes | None = next(self._handle.iterator(include_key=False), None)
        return value

    def write(self, pairs: Sequence[tuple[bytes, bytes]]) -> None:
        """Put keys with values, all of them or none."""
        with self._handle.write_batch(transaction=True, sync=True) as batch:
            for key, value in pairs:
                batch.put(key, value)

    def close(self) -> None:
        """Close the files; what was written is on the disk."""
        self._handle.close()


def _close(handle: Any, links: Path) -> None:
    handle.close()
    shutil.rmtree(links, ignore_errors=True)
