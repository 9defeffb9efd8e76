"""Requests and answers of the process of a definition."""

from __future__ import annotations

from protonet.torch7.lua.child import answer
from protonet.torch7.lua.definition import Limits

PARAMS = {"input_shape": None, "classes": None, "gpus": 0, "seed": 42}


def test_answers() -> None:
    request = {"text": "print('x') return nn.Linear(3, 2)", "params": PARAMS, "model": None}
    found, arrays = answer(request, [], Limits())
    assert sum(each.size for each in arrays) < 10  # numbers that nobody drew
    assert found["log"] == ["x"]
    assert found["found"]["fine_tunes"] is False
    assert len(found["form"]["pending"]) == 2


def test_mistakes() -> None:
    found, _ = answer({"text": "x(", "params": PARAMS, "model": None}, [], Limits())
    assert found["mistake"]["line"] == 1
    assert "unexpected symbol near" in found["mistake"]["message"]
