"""Where in a line a mistake is, and what is nearest."""

from __future__ import annotations

import pytest

from protonet.torch7.lua.definition import Limits, Params
from protonet.torch7.lua.mistakes import mistake_of
from protonet.torch7.lua.state import LuaMistakeError, State


@pytest.mark.parametrize(
    ("text", "column", "told"),
    [
        ("  net = nn.Liner(2)", 12, "protonet has no nn.Liner; did you mean 'Linear'?"),
        ("x = torch.zeroes(2)", 11, "protonet has no torch.zeroes; did you mean 'zeros'?"),
        ("local t = torch.zeros(2); t:narow(1)", 29, "a tensor has no 'narow'; did you mean"),
        ("nn.Sequential():insrt()", 17, "nn.Sequential has no 'insrt'; did you mean 'insert'?"),
        ("require('cudnn') cudnn.ReLu6()", 24, "protonet has no cudnn.ReLu6"),
        ("\tif x then", 2, "'end' expected"),
        ("  error('bad')", 3, "bad"),
        ("tosting(1)", 1, "did you mean 'tostring'?"),
        ("io.read()", 1, "definitions have no access to the system"),
    ],
)
def test_column_and_nearest(text: str, column: int, told: str) -> None:
    state = State(Params(), Limits())
    with pytest.raises(LuaMistakeError) as caught:
        state.run(text)
    found = mistake_of(caught.value, text, state.calls, state.names())
    assert told in found.message
    assert (found.line, found.column, found.excerpt) == (1, column, text)


def test_advice() -> None:
    state = State(Params(), Limits())
    found = mistake_of(LuaMistakeError("stack overflow", 9), "x", state.calls, [])
    assert found.hint == "a function calls itself without an end"
    assert (found.line, found.column, found.excerpt) == (0, 0, "")
