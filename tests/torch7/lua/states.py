"""Definitions run in this process, for tests of single parts."""

from __future__ import annotations

from typing import Any

import pytest

from protonet.torch7.lua.definition import Limits, Params
from protonet.torch7.lua.state import LuaMistakeError, State


def ran(text: str, params: Params | None = None, seconds: float = 5.0) -> Any:
    """What a text returns."""
    return State(params or Params(), Limits(seconds, 2**26)).run(text)


def log_of(text: str) -> list[str]:
    """What a text prints."""
    state = State(Params(), Limits(5, 2**26))
    state.run(text)
    return state.calls.log


def refused(text: str, seconds: float = 5.0) -> LuaMistakeError:
    """The error of a text."""
    with pytest.raises(LuaMistakeError) as caught:
        ran(text, seconds=seconds)
    return caught.value
