"""The files of a training: their sizes, their bytes, and lines of its log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from protonet.errors import UsageError

_MOST_TEXT = 1 << 20
"""Bytes of a text that is shown."""


@dataclass(frozen=True)
class RunFile:
    """A file in the folder of a run. ``changed`` is in seconds since 1970."""

    name: str
    bytes: int
    changed: float


@dataclass(frozen=True)
class Found:
    """Lines with their numbers, from 1 on, and the number of all that match."""

    lines: list[tuple[int, str]]
    total: int


def files_of(folder: Path) -> list[RunFile]:
    """The files of a folder by name, without hidden ones and those in work."""
    found = []
    for path in _visible(folder):
        stat = path.stat()
        found.append(RunFile(path.name, stat.st_size, stat.st_mtime))
    return found


def file_of(folder: Path, name: str) -> Path:
    """The file of this name.

    Raises:
        UsageError: when ``files_of`` has no such file.
    """
    found = next((path for path in _visible(folder) if path.name == name), None)
    if found is None:
        raise UsageError(f"this training has no file '{name[:80]}'")
    return found


def text_of(path: Path) -> str:
    """A text, of a long one the beginning; empty if it does not exist."""
    try:
        with path.open("rb") as stream:
            data = stream.read(_MOST_TEXT + 1)
    except OSError:
        return ""
    text = data[:_MOST_TEXT].decode(errors="replace")
    return text if len(data) <= _MOST_TEXT else f"{text}\n(cut after {_MOST_TEXT:,} bytes)"


def search(path: Path, text: str, most: int = 200) -> Found:
    """The last lines of a file that contain a text, in any case."""
    wanted = text.casefold()
    found: list[tuple[int, str]] = []
    total = 0
    try:
        with path.open(encoding="utf-8", errors="replace") as stream:
            for number, line in enumerate(stream, 1):
                if wanted in line.casefold():
                    total += 1
                    found.append((number, line.rstrip("\n")))
                    if len(found) > 2 * most:
                        del found[:-most]
    except OSError:
        return Found([], 0)
    return Found(found[-most:], total)


def _visible(folder: Path) -> Iterator[Path]:
    """The files in the folder itself; links are none."""
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if path.is_file() and not path.is_symlink() and not path.name.startswith("."):
            yield path
