"""Sizes of memory as people read and write them."""

from __future__ import annotations

import re


def byte_count(count: int) -> str:
    """``1.5 MiB``: a count of bytes for people."""
    size = float(count)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":
            break
        size /= 1024
    return f"{count} bytes" if unit == "bytes" else f"{size:.1f} {unit}"


_UNITS = {"": 1024, "i": 1024, "b": 1000, "ib": 1024}


def parse_byte_count(text: str) -> int:
    """The bytes of a size such as ``8GiB``, ``500MB``, ``2G`` (as GiB) or ``1048576``.

    Raises:
        ValueError: for anything else, or nothing.
    """
    found = re.fullmatch(r"(\d+(?:\.\d*)?)\s*(?:([kmgt])(i?b?)|b|bytes)?", text.strip().lower())
    if found is None or not float(found[1]):
        raise ValueError(f"expected a size such as 8GiB or 500MB, got '{text}'")
    power = "kmgt".index(found[2]) + 1 if found[2] else 0
    return int(float(found[1]) * _UNITS[found[3] or ""] ** power)
