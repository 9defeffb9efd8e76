"""Paths as short as they still differ."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath


def short_paths(paths: Iterable[str]) -> dict[str, str]:
    """Each path with its last components, as many as tell it from the others."""
    parts = {path: PurePath(path).parts for path in paths}
    for count in range(1, 1 + max(map(len, parts.values()), default=0)):
        short = {path: str(PurePath(*each[-count:])) for path, each in parts.items()}
        if len(set(short.values())) == len(short):
            return short
    return {path: path for path in parts}


def is_path(value: object) -> bool:
    """Whether a value has folders."""
    return isinstance(value, str) and "/" in value
