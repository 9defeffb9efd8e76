"""The files that come with the package: pages of layers and the schema."""

from __future__ import annotations

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
    return sorted(path.stem for path in _folder("layers").glob("*.md"))


def layer_page(type_name: str) -> str | None:
    """The Markdown page of a layer type; None where there is none."""
    if type_name not in layer_pages():
        return None
    return (_folder("layers") / f"{type_name}.md").read_text()
