"""Texts that name files: the lines of a list, and the files that it names."""

from __future__ import annotations

from pathlib import Path

from protonet.errors import DataError


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
        raise DataError(f"{source}: is no list of {what}s: it is no text ({error})") from None
    numbered = enumerate(text.split("\n"), 1)
    lines = [(number, line.strip()) for number, line in numbered if line.strip()]
    if not lines:
        raise DataError(f"{source}: names no {what}")
    return lines


def read_named(path: Path, folder: Path | None, where: str) -> bytes:
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
