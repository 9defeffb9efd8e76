"""Atomic writes: a file exists completely or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from protonet.errors import FormatError, ProtonetError, UsageError

Bytes = bytes | bytearray | memoryview

_USERS_CHOICE = frozenset(
    {
        errno.EACCES,
        errno.EISDIR,
        errno.ENAMETOOLONG,
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EPERM,
        errno.EROFS,
    }
)
"""Failures that another path would avoid; the others are failures of the disk."""


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a hidden temporary path next to ``path``; on success it replaces ``path``.

    For libraries that write files themselves; ``write_atomic`` is for bytes. The data is flushed
    to disk before the rename, the folder after it: a kill or power failure at any moment leaves
    the old file or the new one. If ``path`` is a link, its target is replaced.

    Raises:
        UsageError: when the folder is missing or may not be written to, or ``path`` is a folder.
        FormatError: when the disk is full or fails. The old file is kept, the temporary removed.
    """
    target = Path(path).resolve()
    temporary = target.with_name(f".{target.name}.{os.urandom(4).hex()}.part")
    try:
        # The library need not create the file itself, and two writers never share one.
        temporary.touch(exist_ok=False)
        yield temporary
        _flush(temporary)
        temporary.replace(target)
    except OSError as error:
        _remove(temporary)
        raise _refusal(path, error) from error
    except BaseException:
        _remove(temporary)
        raise
    # The new file is in place; without this flush it only reaches the disk later.
    with suppress(OSError):
        _flush(target.parent)


def write_atomic(path: str | Path, data: Bytes | Iterable[Bytes]) -> None:
    """Write ``data``, or an iterable of pieces, atomically.

    Raises:
        UsageError, FormatError: as ``atomic_path``.
    """
    pieces = [data] if isinstance(data, Bytes) else data
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        for piece in pieces:
            file.write(piece)


@contextmanager
def appending(path: Path, stream: IO[str]) -> Iterator[None]:
    """Write to an open file in the block; if the disk fails, the stream is closed.

    Raises:
        FormatError: naming the file.
    """
    try:
        yield
    except OSError as error:
        with suppress(OSError):  # its buffer cannot be written either
            stream.close()
        raise FormatError(f"{path}: cannot be written: {error.strerror or error}") from error


def remove_partial(folder: str | Path) -> int:
    """Remove the temporary files that killed processes left in a folder; returns how many.

    Only for folders that no process writes to.
    """
    left = list(Path(folder).glob(".*.????????.part"))
    for path in left:
        _remove(path)
    return len(left)


def _refusal(path: str | Path, error: OSError) -> ProtonetError:
    kind = UsageError if error.errno in _USERS_CHOICE else FormatError
    reason = error.strerror or str(error)
    return kind(f"{path}: cannot be written: {reason}; what was there before is unchanged")


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()


def _flush(path: Path) -> None:
    """Flush a file or folder to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
