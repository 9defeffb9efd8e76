"""The values of definitions."""

from __future__ import annotations

from protonet.torch7.lua.definition import Definition, Limits, Options, Params
from protonet.torch7.objects import TorchObject


def test_defaults() -> None:
    assert Params().seed == 42
    assert Limits().seconds == 10
    found = Definition(None, TorchObject("nn.MSECriterion"))
    assert found.options == Options()
    assert (found.label_hook, found.fine_tunes, found.log) == (None, False, ())
