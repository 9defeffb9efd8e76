"""The methods that every module has."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.torch7.objects import TorchObject
from tests.torch7.lua.states import ran, refused

NET = """
    local net = nn.Sequential():add(nn.Linear(3, 2))
    net:add(nn.Sequential():add(nn.Linear(2, 4)):add(nn.MulConstant(2)))
    """


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("return { #net:findModules('nn.Linear'), #net:listModules() }", [2, 5]),
        ("local m, c = net:findModules('nn.MulConstant'); return { c[1] == net.modules[2] }",
         [True]),
        ("local n = 0; net:apply(function(m) n = n + 1 end); return { n }", [5]),
        ("return { #net:parameters(), net:parameters()[3]:size(1) }", [4, 4]),
        ("local w, g = net:getParameters(); w:fill(7) return { w:nElement(), g:nElement(), "
         "net.modules[1].bias[2], net:parameters()[1]:sum() }", [20, 20, 7, 42]),
        ("net:cuda(); return { net.modules[1].weight:type(), net:type() }",
         ["torch.CudaTensor", "torch.CudaTensor"]),
        ("net:double(); return { torch.type(net:get(1).weight), net:get(1):type() }",
         ["torch.DoubleTensor", "torch.DoubleTensor"]),
        ("return { net:training() == net, net:evaluate() == net, net:clearState() == net }",
         [True, True, True]),
        ("local m = net:replace(function(m) if torch.type(m) == 'nn.MulConstant' then "
         "return nn.Identity() end return m end) return { torch.type(m:get(2):get(2)) }",
         ["nn.Identity"]),
        ("local c = net:clone(); c:get(1).weight:fill(5); "
         "return { net:get(1).weight:max() < 1, c:get(1).weight:sum() }", [True, 30]),
        ("local c = net:clone('weight', 'bias'); c:get(1).weight:fill(5); "
         "return { net:get(1).weight:sum(), net:get(1) ~= c:get(1) }", [30, True]),
        ("local c = nn.Linear(3, 2); c:share(net:get(1), 'weight'); c.weight:fill(5); "
         "return { net:get(1).weight:sum(), net:get(1).bias:max() < 5 }", [30, True]),
        ("return { tostring(nn.Linear(3, 2)) }", ["nn.Linear"]),
    ],
)  # fmt: skip
def test_methods(text: str, expected: list[object]) -> None:
    assert ran(NET + text).sequence == expected


def test_flattened_parameters_keep_their_values_and_are_not_drawn() -> None:
    plain: TorchObject = ran(NET + "return net")
    flat: TorchObject = ran(NET + "net:getParameters() return net")
    one, two = (each.fields["modules"][1].fields for each in (plain, flat))
    assert two["weight"].storage is two["bias"].storage
    assert two["weight"].storage.settle is not None
    np.testing.assert_array_equal(one["weight"].array, two["weight"].array)
    assert two["weight"].storage.size == 20


def test_shared_tensors_are_flattened_once() -> None:
    found = ran("""
        local one = nn.Linear(2, 2)
        local net = nn.Sequential():add(one):add(one:clone('weight', 'bias'))
        local w = net:getParameters()
        w:fill(3)
        return { w:nElement(), net:get(2).weight:sum() }""")
    assert found.sequence == [6, 12]


def test_tensors_that_share_still_do_after_a_conversion() -> None:
    found = ran("""
        local one = nn.Linear(2, 2)
        local net = nn.Sequential():add(one):add(one:clone('weight', 'bias')):double()
        net:get(1).weight:fill(4)
        return { net:get(2).weight:sum() }""")
    assert found.sequence == [16]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("net:apply(3)", "apply: expected a function, got 3"),
        ("net:replace(function() end)", "replace: the function returned nil"),
        ("net:share(3)", "share: expected a module, got 3"),
        ("net:type('torch.X')", "there is no tensor type 'torch.X'"),
    ],
)
def test_mistakes(text: str, told: str) -> None:
    assert told in refused(NET + text).message
