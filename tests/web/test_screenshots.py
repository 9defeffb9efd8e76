"""The pictures of the page in the documentation are those that the walks make, and are small."""

from __future__ import annotations

import re

import pytest

from tests.web.browser import ROOT

IMAGES = ROOT / "docs" / "images"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
MADE = re.compile(r'walker\.show\("([\w-]+)"[,)]')
MOST_BYTES = 150_000


def made_by_walks() -> set[str]:
    texts = (path.read_text() for path in (ROOT / "tests" / "web").rglob("test_*.py"))
    return {f"page-{name}.png" for text in texts for name in MADE.findall(text)}


def named(text: str) -> set[str]:
    return set(re.findall(r"images/(page-[\w-]+\.png)", text))


def test_every_picture_is_made_by_a_walk_and_shown() -> None:
    """``make screenshots`` makes them anew."""
    there = {path.name for path in IMAGES.glob("page-*.png")}
    assert there == made_by_walks()
    assert set().union(*(named(page.read_text()) for page in PAGES)) == there


def test_the_readme_shows_the_page() -> None:
    assert len(named((ROOT / "README.md").read_text())) >= 8


@pytest.mark.parametrize("path", sorted(IMAGES.glob("page-*.png")), ids=lambda path: path.stem)
def test_pictures_are_small(path: object) -> None:
    assert (IMAGES / str(path)).stat().st_size < MOST_BYTES
