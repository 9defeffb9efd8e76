"""Files with the name, height and width of each image of a test set."""

from __future__ import annotations

from pathlib import Path

from protonet.errors import DataError


def read_name_sizes(path: Path) -> list[tuple[int, int]]:
    """Height and width of each image, in the order of the lines.

    Raises:
        DataError: for a file that cannot be read, or naming the line that has another form.
    """
    try:
        lines = path.read_text("utf-8", "surrogateescape").splitlines()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    found = []
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words:
            continue
        if len(words) != 3 or not all(_is_size(word) for word in words[1:]):
            raise DataError(
                f"{path}:{number}: expected a name, height and width, got "
                f"'{line.encode(errors='replace').decode()[:60]}'"
            )
        found.append((int(words[1]), int(words[2])))
    if not found:
        raise DataError(f"{path}: names no image")
    return found


def _is_size(word: str) -> bool:
    return word.isdecimal() and len(word) < 10
