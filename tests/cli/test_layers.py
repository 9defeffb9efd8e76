from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from protonet import resources
from protonet.cli.layers import purpose

PAGES = Path(__file__).parents[2] / "layers"


def test_every_page_is_listed_with_its_purpose(protonet: Any) -> None:
    found = protonet("layers")
    assert (found.returncode, found.stderr) == (0, "")
    title, *lines = found.stdout.splitlines()
    assert title.split() == ["type", "purpose"]
    assert [line.split()[0] for line in lines] == resources.layer_pages()
    assert min(len(line.split()) for line in lines) > 3
    assert "\x1b" not in found.stdout


def test_a_page_is_printed_as_it_is_when_piped(protonet: Any) -> None:
    found = protonet("layers", "Power")
    assert found.returncode == 0
    assert found.stdout.strip() == (PAGES / "Power.md").read_text().strip()


def test_a_page_is_rendered_on_a_terminal(terminal: Any) -> None:
    shown = terminal("layers", "Power")
    assert shown.returncode == 0
    assert "\x1b[" in shown.stdout
    assert "```" not in shown.stdout
    assert "power_param" in shown.stdout


def test_a_miss_names_the_nearest_type(protonet: Any) -> None:
    found = protonet("layers", "innerproduct")
    assert (found.returncode, found.stdout) == (2, "")
    assert "error: no layer type 'innerproduct'; did you mean 'InnerProduct'?" in found.stderr


@pytest.mark.parametrize(
    ("page", "first"),
    [
        ("# Power\n\nA power of each element.\n\n## Formula\n", "A power of each element."),
        ("# Power\n", ""),
        ("# Power\n\nA power\nof each element.\n\nMore.\n", "A power of each element."),
    ],
)
def test_the_purpose_is_the_first_paragraph(page: str, first: str) -> None:
    assert purpose(page) == first
