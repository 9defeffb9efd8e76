"""Memory sizes with units, formatted and parsed."""

from __future__ import annotations

import re


def byte_count(count: int) -> str:
    """A count of bytes with a unit: ``1.5 MiB``."""
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
    match = re.fullmatch(r"(\d+(?:\.\d*)?)\s*(?:([kmgt])(i?b?)|b|bytes)?", text.strip().lower())
    if match is None or not float(match[1]):
        raise ValueError(f"expected a size such as 8GiB or 500MB, got '{text}'")
    power = "kmgt".index(match[2]) + 1 if match[2] else 0
    return int(float(match[1]) * _UNITS[match[3] or ""] ** power)
