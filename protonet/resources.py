"""The files in the package: pages of layers and examples."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path


def _folder(name: str) -> Path:
    """A folder of documents: in an installed package, or at the top of a checkout."""
    installed = Path(__file__).parent / "pages" / name
    return installed if installed.exists() else Path(__file__).parents[1] / name


def example_networks() -> dict[str, str]:
    """The networks of the examples, by name: prototxt, and Lua of Torch7."""
    found = {}
    for language, pattern, suffix in (
        ("prototxt", "*/net.prototxt", ""),
        ("torch7", "*/net.lua", " (Torch7)"),
    ):
        paths = (_folder("examples") / language).glob(pattern)
        found.update({f"{path.parent.name}{suffix}": path.read_text() for path in paths})
    return dict(sorted(found.items()))


def layer_pages() -> list[str]:
    """The layer types that have a page, sorted."""
    return sorted(_pages())


def layer_page(type_name: str) -> str | None:
    """The Markdown page of a layer type; None if it has none."""
    return _pages().get(type_name)


@cache
def _pages() -> dict[str, str]:
    """The pages by type.

    Types whose names differ by case only share a file, one page below the other, since file systems
    may be case-insensitive.
    """
    pages = {}
    for path in _folder("layers").glob("*.md"):
        for page in re.split(rf"\n(?=# (?i:{path.stem})\n)", path.read_text()):
            pages[page.splitlines()[0].removeprefix("# ")] = page
    return pages
