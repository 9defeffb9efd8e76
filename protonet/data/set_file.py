"""Files of a data set, beside its records."""

from __future__ import annotations

from pathlib import Path

from protonet.errors import DataError, FormatError
from protonet.formats.atomic import write_atomic


def write_file(path: Path, content: bytes) -> None:
    """Write a file of a data set.

    Raises:
        UsageError: when the folder is missing or may not be written to.
        DataError: when the disk is full or fails.
    """
    try:
        write_atomic(path, content)
    except FormatError as error:
        raise DataError(str(error)) from error
