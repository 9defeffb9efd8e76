"""The documentation lists the modules that there are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.torch7.page import PAGE, page

ROOT = Path(__file__).parents[2]


def test_the_page_lists_the_modules_that_there_are() -> None:
    assert PAGE.read_text() == page(), "python -m tests.torch7.page writes the list anew"


def test_the_script_of_the_page_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    assert names["weight"].shape == (2, 20)
    assert names["input_gradient"].shape == (2, 1, 5, 4)
    assert names["values"].size == 42


def test_the_definition_of_the_page_is_the_example() -> None:
    (code,) = re.findall(r"```lua\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert code == (ROOT / "examples/torch7/gradients/net.lua").read_text()
