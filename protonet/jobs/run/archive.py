"""A run directory that came as one zip file."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from protonet.errors import FormatError
from protonet.sizes import byte_count

_LARGEST, _SMALL = 64 * 2**30, 64 * 2**20
"""Bytes that an archive may unpack to, and those that any may."""

_RATIO = 100
"""How many times its size a larger archive may unpack to: weights hardly shrink, and texts of more
than 64 MiB are no part of a run. What is made to fill a disk shrinks a thousand times.
"""

_FILES = 10_000


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """The folder of a run: ``path`` itself, or while the block lasts what a .zip file holds.

    Raises:
        FormatError: for a file that is no zip file, is damaged, or holds no run.
    """
    if path.suffix.lower() != ".zip" or path.is_dir() or not path.exists():
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="protonet-") as folder:
        try:
            with zipfile.ZipFile(path) as file:
                _check_size(path, file.infolist(), Path(folder))
                file.extractall(folder)  # names that lead out of the folder are cut by zipfile
        except FormatError:
            raise
        except OSError as error:
            raise FormatError(f"{path}: cannot be unpacked: {error.strerror or error}") from error
        except Exception as error:  # zipfile lets through whatever damaged bytes provoke
            raise FormatError(f"{path}: is damaged, or no .zip: {error}") from error
        found = sorted(Path(folder).glob("*/run.json")) + sorted(Path(folder).glob("run.json"))
        if len(found) != 1:
            raise FormatError(f"{path}: holds {len(found)} runs (folders with a run.json), not 1")
        yield found[0].parent


def _check_size(path: Path, files: Sequence[zipfile.ZipInfo], folder: Path) -> None:
    """Refuse what would fill the disk; an entry never unpacks to more than it says."""
    packed, size = path.stat().st_size, sum(each.file_size for each in files)
    if len(files) > _FILES:
        raise FormatError(f"{path}: holds {len(files):,} files; a run has no more than {_FILES:,}")
    most = min(_LARGEST, max(_SMALL, _RATIO * packed))
    if size > most:
        raise FormatError(
            f"{path}: unpacks to {byte_count(size)}; of {byte_count(packed)} no more than "
            f"{byte_count(most)} are taken"
        )
    free = shutil.disk_usage(folder).free
    if size > free:
        raise FormatError(
            f"{path}: unpacks to {byte_count(size)}, but there is room for {byte_count(free)} in "
            f"{folder.parent}"
        )
