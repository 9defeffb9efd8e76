"""The files that come with the package: pages of layers and the schema."""

from __future__ import annotations

import re
from pathlib import Path


def _folder(name: str) -> Path:
    """A folder of documents: inside an installed package, or at the top of a checkout."""
    installed = Path(__file__).parent / "pages" / name
    return installed if installed.exists() else Path(__file__).parents[1] / name


def example_networks() -> dict[str, str]:
    """The networks of the examples that are trained on a data set, by name."""
    folder = Path(__file__).parent / "pages" / "examples"
    if not folder.exists():
        folder = Path(__file__).parents[1] / "examples" / "prototxt"
    return {path.parent.name: path.read_text() for path in sorted(folder.glob("*/net.prototxt"))}


def layer_pages() -> list[str]:
    """The layer types that have a page, sorted."""
    return sorted(_pages())


def layer_page(type_name: str) -> str | None:
    """The Markdown page of a layer type; None where there is none."""
    return _pages().get(type_name)


def _pages() -> dict[str, str]:
    """The pages by type.

    Types whose names differ by case alone share a file: one on top of the other, each under its
    title. Two files would be one where a file system does not tell case.
    """
    found = {}
    for path in _folder("layers").glob("*.md"):
        for page in re.split(rf"\n(?=# (?i:{path.stem})\n)", path.read_text()):
            found[page.splitlines()[0].removeprefix("# ")] = page
    return found
