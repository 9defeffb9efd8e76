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
        ("local n = 0; net:applyToModules(function(m) n = n + 1 end); return { n }", [2]),
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


def test_clones_are_not_drawn_and_have_the_same_values() -> None:
    made = ran("local n = nn.Linear(3, 2); return { n, n:clone() }")
    one, two = (each.fields["weight"] for each in made.sequence)
    assert two.storage.settle is not None
    assert one.storage is not two.storage
    assert made[2].fields["gradWeight"].storage.untouched
    np.testing.assert_array_equal(one.array, two.array)


def test_tensors_that_show_parts_of_each_other_are_flattened_as_torch_does() -> None:
    found = ran("""
        local one, two = nn.Linear(2, 3), nn.Linear(2, 2)
        two.weight:set(one.weight:narrow(1, 2, 2))
        local w = nn.Sequential():add(one):add(two):getParameters()
        w:fill(3)
        one.weight[3] = 5
        return { w:nElement(), two.weight:sum() }""")
    assert found.sequence == [11, 16]


def test_a_definition_may_ask_for_sizes() -> None:
    found = ran("""
        local net = nn.Sequential():add(nn.SpatialConvolution(1, 4, 3, 3)):add(nn.View(-1))
        local y = net:forward(torch.ones(1, 1, 8, 9))
        local z = nn.ConcatTable():add(nn.Identity()):add(nn.MulConstant(2)):forward(torch.ones(2))
        return { y:nElement(), z[2]:sum() }""")
    assert found.sequence == [4 * 6 * 7, 4]


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
