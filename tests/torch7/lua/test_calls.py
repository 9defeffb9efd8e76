"""What definitions can do with tensors, storages and modules."""

from __future__ import annotations

import pytest

from protonet.torch7.lua.calls import MAKERS, ascii_of, known_modules
from tests.torch7.lua.states import ran, refused


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("local t = torch.range(1, 6):view(2, 3); return { t[2][3], t[{1, 2}], #t[1] == nil }",
         [6, 2, False]),
        ("local t = torch.zeros(4); t[torch.eq(t, 0)] = -1; return t:totable()", [-1] * 4),
        ("local t = torch.Tensor{1, 2}; t[1] = 7; return (t * 2 + 1 - t / t):totable()", [14, 4]),
        ("return (2 - torch.ones(2)):totable()", [1, 1]),
        ("return (-torch.ones(2)):totable()", [-1, -1]),
        ("return { torch.ones(2, 3):size(1), (#torch.ones(2, 3))[2], torch.ones(2, 3):dim() }",
         [2, 3, 2]),
        ("local s = torch.LongStorage{3, 4}; s[1] = 5; return { s:size(), s[1], #s, s[2] }",
         [2, 5, 2, 4]),
        ("return torch.LongStorage{3, 4}:fill(2):totable()", [2, 2]),
        ("return { torch.max(torch.range(1, 4):view(2, 2), 2) }", None),
        ("local v, i = torch.max(torch.range(1, 4):view(2, 2), 2); return { v[1][1], i[2][1] }",
         [2, 2]),
        ("return { torch.FloatTensor(2):float():nElement(), torch.IntTensor{2.7}[1] }", [2, 2]),
        ("torch.setdefaulttensortype('torch.DoubleTensor'); return { torch.Tensor(2):type() }",
         ["torch.DoubleTensor"]),
        ("torch.manualSeed(1); local a = torch.uniform(); torch.manualSeed(1) "
         "return { a == torch.uniform(), torch.initialSeed() }", [True, 1]),
        ("return { nn.Linear(3, 2).weight:size(2), nn.Linear(3, 2):type() }",
         [3, "torch.FloatTensor"]),
        ("require 'cudnn'; cudnn.benchmark = true; "
         "return { cudnn.version >= 4000, cudnn.convert(nn.Identity(), cudnn) ~= nil }",
         [True, True]),
        ("require 'cutorch'; cutorch.setDevice(1); return { cutorch.getDeviceCount() }", [0]),
    ],
)  # fmt: skip
def test_values(text: str, expected: list[object] | None) -> None:
    found = ran(text).sequence
    assert expected is None or found == expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("torch.ones(2).fill(3)", "call fill with a colon, as in t:fill(...)"),
        ("nn.Linear(2, 3)(torch.ones(2))", "inputs[1] should be an nngraph.Node"),
        ("nn.Linear(2, 3)(missing)", "inputs[1] is nil"),
        ("require 'nngraph' nngraph.nest({})", "expected a node or a table of nodes"),
        ("torch.abs({})", "the first argument must be a tensor, got a table"),
        ("return torch.ones(2)[3]", "3 of dimension 1 of a tensor of size 2"),
        ("torch.ones(2).x = 3", "index must be a whole number, got 'x'"),
        ("torch.ones(2):copy(nn.Linear(2, 3))", "must be a tensor, got a nn.Linear"),
        ("torch.setdefaulttensortype('FlotTensor')", "no tensor type"),
        ("torch.class('nn.Mine', 'nn.Module')", "torch.class is not available"),
        ("torch.LongStorage(2)[3] = 1", "index 3 of a LongStorage of 2"),
        ("local t = {} t[1] = t torch.Tensor(t)", "nested too deep"),
    ],
)
def test_mistakes(text: str, told: str) -> None:
    assert told in refused(text).message


def test_names() -> None:
    assert "FloatTensor" in MAKERS
    assert {"Linear", "Sequential"} <= set(known_modules())
    assert ascii_of("\u00e4") == "\xc3\xa4"
