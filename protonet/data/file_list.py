"""Lists of files: their lines, and the files that they name."""

from __future__ import annotations

from pathlib import Path
from typing import Generic, TypedDict, TypeVar

from protonet.errors import DataError

Line = TypeVar("Line")


class FileListOptions(TypedDict, total=False):
    """Where the files of a list are, and the size of their images."""

    root: str
    folder: Path | None
    size: tuple[int, int] | None


class FileList(Generic[Line]):
    """The entries of a list, in its order; used like a database's records.

    Args:
        source: the list.
        root: prefix of every path, without a separator, as in Caffe.
        folder: where relative paths are looked up after the working directory.
        size: (height, width) that images are resized to; None for their own.

    Raises:
        DataError: for a list that cannot be read, is empty, or has a line of another form.
    """

    def __init__(
        self,
        source: Path,
        *,
        root: str = "",
        folder: Path | None = None,
        size: tuple[int, int] | None = None,
    ) -> None:
        self.path, self.root = source, root
        self._folder, self._size = folder, size
        self._lines = self.read_lines(source)

    def read_lines(self, source: Path) -> list[Line]:
        """The entries of the lines that are not blank."""
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self._lines)

    def keys(self) -> range:
        """The places in the list, from 0."""
        return range(len(self))

    def close(self) -> None:
        """Nothing is held open."""


def numbered_lines(source: Path, what: str) -> list[tuple[int, str]]:
    """The lines with text in them, stripped, and their numbers from 1.

    Args:
        source: the list.
        what: the name of one of the things in it, for messages: ``image``.

    Raises:
        DataError: for a list that cannot be read, is no text, or is empty.
    """
    try:
        text = source.read_text("utf-8-sig")
    except OSError as error:
        raise DataError(f"{source}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{source}: is not a list of {what}s: it is not text ({error})") from None
    numbered = enumerate(text.split("\n"), 1)
    lines = [(number, line.strip()) for number, line in numbered if line.strip()]
    if not lines:
        raise DataError(f"{source}: names no {what}")
    return lines


def read_listed_file(path: Path, folder: Path | None, where: str) -> bytes:
    """The bytes of a file that a list names.

    Args:
        path: relative to the working directory, or, where it is not there, to ``folder``.
        folder: usually the net's; None for none.
        where: the file's name in messages.

    Raises:
        DataError: when it cannot be read.
    """
    if folder is not None and not path.exists() and (folder / path).exists():
        path = folder / path
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{where}: cannot be read: {error.strerror}") from error
