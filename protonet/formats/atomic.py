"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from protonet.errors import FormatError


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; when the block ends well, it takes its place.

    The data is flushed to the disk before the rename and the folder after it, so a kill or a
    power cut at any moment leaves the old file or the new one.

    Raises:
        FormatError: when the folder is missing, not writable, or the disk is full. The old file
            stays, and the temporary one is removed.
    """
    path = Path(path)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        os.close(handle)
        # mkstemp gives 0600; what we write is as public as any file of the user's.
        os.chmod(name, 0o666 & ~_umask())
        temporary = Path(name)
    except OSError as error:
        raise _refusal(path, error) from error
    try:
        yield temporary
        _flush(temporary)
        os.replace(temporary, path)
        _flush(path.parent)
    except OSError as error:
        raise _refusal(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def write_atomic(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path``, whole or not at all; see ``atomic_path``."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def _refusal(path: Path, error: OSError) -> FormatError:
    reason = error.strerror or str(error)
    return FormatError(f"{path}: cannot be written: {reason}; what was there before is unchanged")


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    """The process's umask; reading it means setting it for a moment."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
