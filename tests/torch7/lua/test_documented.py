"""The page on Lua names what there is, and its definitions run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from protonet.torch7.lua import inherited, tracing
from protonet.torch7.lua.definition import Limits, Params
from protonet.torch7.lua.results import returned
from protonet.torch7.lua.state import State
from protonet.torch7.tensors import FUNCTIONS, METHODS

PAGE = (Path(__file__).parents[3] / "docs" / "torch7-lua.md").read_text()
BLOCKS = re.findall(r"```lua\n(.*?)```", PAGE, re.DOTALL)


def names(begin: str, end: str) -> set[str]:
    """The names in backquotes in a part of the page."""
    part = PAGE.partition(begin)[2].partition(end)[0]
    return set(re.findall(r"`(\w+)`", part))


def test_all_methods_and_functions_are_named() -> None:
    methods = names("functions of `torch` too |", "Functions of `torch` alone")
    assert methods == set(METHODS)
    alone = names("Functions of `torch` alone", "## Hooks")
    assert set(FUNCTIONS) - methods <= alone


def test_the_methods_of_all_modules_are_named() -> None:
    silent = {"accGradParameters", "flattenParameters", "cudaDouble", "cudaHalf", "applyToModules"}
    told = names("Beside their own methods all have", "```lua")
    assert told == (set(inherited.METHODS) - silent) | {"reset"}


def test_what_hooks_may_use_is_named() -> None:
    kinds = {"byte", "cuda", "double", "float", "half", "int", "long", "type", "typeAs"}
    assert names("It may use", "conversions of type") == set(tracing.METHODS) - kinds


@pytest.mark.parametrize("text", BLOCKS)
def test_its_definitions_run(text: str) -> None:
    state = State(Params(), Limits())
    assert returned(state, state.run(text))["model"] is not None
