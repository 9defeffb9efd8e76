"""CUDA versions of kernels: sources, and a module for each group that launches them.

Nothing here is imported before a GPU asks for a kernel: a chapter of ``kernels`` has its CUDA
versions in the module of the same name.
"""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent

COMMON = ("common.cuh", "packs.cuh", "philox.cuh")
"""Prepended to every source."""


@cache
def load(chapter: str) -> bool:
    """Import the CUDA versions of a chapter; returns whether it has any."""
    name = f"{__name__}.{chapter}"
    if importlib.util.find_spec(name) is None:
        return False
    importlib.import_module(name)
    return True


def sources() -> list[str]:
    """The names of all sources."""
    return sorted(path.stem for path in _FOLDER.glob("*.cu"))


@cache
def source(name: str) -> str:
    """The text that is compiled for a chapter."""
    return "\n".join((_FOLDER / file).read_text() for file in (*COMMON, f"{name}.cu"))
