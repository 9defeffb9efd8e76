"""Files that are there whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
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
"""Failures that another path would mend; the rest are the disk's."""


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a hidden temporary path beside ``path``; when the block ends well, it takes its place.

    For libraries that write files themselves; ``write_atomic`` is for bytes. The data is flushed
    to the disk before the rename, the folder after it: a kill or a power cut at any moment leaves
    the old file or the new one. Where ``path`` is a link, the file that it points to is replaced.

    Raises:
        UsageError: when the folder is missing or may not be written to, or ``path`` is a folder.
        FormatError: when the disk is full or fails. The old file stays, the temporary is removed.
    """
    target = Path(path).resolve()
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
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
    # The new file is in place; a folder that cannot be flushed only delays its way to the disk.
    with suppress(OSError):
        _flush(target.parent)


def write_atomic(path: str | Path, data: Bytes | Iterable[Bytes]) -> None:
    """Write ``data`` (pieces are written one after the other), whole or not at all.

    Raises:
        UsageError, FormatError: as ``atomic_path``.
    """
    pieces = [data] if isinstance(data, Bytes) else data
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        for piece in pieces:
            file.write(piece)


@contextmanager
def appending(path: Path, stream: IO[str]) -> Iterator[None]:
    """Write to an open file inside the block; where the disk fails, the stream is closed.

    Raises:
        FormatError: naming the file.
    """
    try:
        yield
    except OSError as error:
        with suppress(OSError):  # what is left in its buffer cannot be written either
            stream.close()
        raise FormatError(f"{path}: cannot be written: {error.strerror or error}") from error


def remove_partial(folder: str | Path) -> int:
    """Remove the temporaries that killed processes left in a folder; return how many.

    Only for a folder that no process is writing to.
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
    """Wait until a file or folder is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
