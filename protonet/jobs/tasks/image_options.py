"""Checks of how images are stored, for all tasks that make data sets."""

from __future__ import annotations

from protonet.errors import UsageError


def size_of(
    width: int | None, height: int | None, options: str = "--width and --height"
) -> tuple[int, int] | None:
    """(height, width), or None where neither is given.

    Raises:
        UsageError: for one without the other; ``options`` names both.
    """
    if (width is None) != (height is None):
        raise UsageError(f"{options} go together")
    return None if width is None or height is None else (height, width)


def check_encoding(encoding: str | None) -> None:
    """Refuse a kind of image file that databases do not store.

    Raises:
        UsageError: naming the kinds.
    """
    from protonet.data.datum import ENCODINGS

    if encoding not in (None, "own", *ENCODINGS):
        known = ", ".join(["own", "none", *ENCODINGS])
        raise UsageError(f"--encoded {encoding}: expected one of {known}")
