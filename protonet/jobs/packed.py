"""A run directory that came as one zip file."""

from __future__ import annotations

import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from protonet.errors import FormatError

_LARGEST = 64 * 2**30
"""Bytes that an archive may unpack to."""


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
                if sum(each.file_size for each in file.infolist()) > _LARGEST:
                    raise FormatError(f"{path}: unpacks to more than {_LARGEST >> 30} GiB")
                file.extractall(folder)  # names that lead out of the folder are cut by zipfile
        except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError) as error:
            raise FormatError(f"{path}: is damaged, or no .zip: {error}") from error
        found = sorted(Path(folder).glob("*/run.json")) + sorted(Path(folder).glob("run.json"))
        if len(found) != 1:
            raise FormatError(f"{path}: holds {len(found)} runs (folders with a run.json), not 1")
        yield found[0].parent
