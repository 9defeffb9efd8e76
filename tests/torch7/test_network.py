"""From a tree of modules to a definition."""

from __future__ import annotations

import pytest

from protonet.errors import NetworkError
from protonet.graph.planning import plan_net
from protonet.proto.caffe_pb2 import TEST
from protonet.proto.source import Source
from protonet.torch7.network import LuaSource, builder, flat, inputs_of, translate, with_inputs
from tests.torch7.trees import call, nn, seed_net, sequential

TEXT = "return function(p)\n  return nn.Linear(7, 2)\nend\n"


def test_the_seed_net_becomes_layers() -> None:
    net = builder(Source("net.lua", ""))
    x = net.input("data", (16, 3, 5, 4))
    label = net.input("label", (16, 2))
    made = translate(seed_net(), x, net, loss=nn("MSECriterion"), target=label)
    layers = made.definition.net.layer
    assert [layer.type for layer in layers] == [
        "Power",
        "Reshape",
        "InnerProduct",
        "EuclideanLoss",
    ]
    assert [layer.name for layer in layers][:3] == ["MulConstant1", "View1", "Linear1"]
    assert list(layers[3].bottom) == ["Linear1", "label"]
    assert list(layers[3].exclude[0].stage) == ["deploy"]
    assert [(each.layer, each.bound.field) for each in made.parameters] == [
        ("Linear1", "weight"),
        ("Linear1", "bias"),
    ]
    assert made.weights()["Linear1"][0].shape == (2, 60)
    assert [layer.type for layer in with_inputs(made, [x, label]).net.layer][:2] == ["Input"] * 2


def test_a_mistake_points_at_the_line_of_the_module() -> None:
    net = builder(Source("net.lua", TEXT))
    model = sequential(nn("Linear", 7, 2, line=2))
    with pytest.raises(NetworkError) as caught:
        translate(model, inputs_of(net, [(3, 5)]), net)
    (mistake,) = caught.value.mistakes
    assert (mistake.file, mistake.line, mistake.column) == ("net.lua", 2, 3)
    assert mistake.message == "nn.Linear: expected vectors of 7, got 3x5"
    assert mistake.excerpt == "  return nn.Linear(7, 2)"


def test_a_mistake_in_a_file_names_the_path_of_the_module() -> None:
    net = builder(Source("model.t7", ""))
    with pytest.raises(NetworkError, match=r"model.t7: Sequential/Linear: expected vectors of 7"):
        translate(sequential(nn("Linear", 7, 2)), inputs_of(net, [(3, 5)]), net)


def test_positions_are_lines() -> None:
    source = LuaSource("net.lua", TEXT)
    assert source.position(("line", 2, "bottom", 0)) == (2, 3)
    assert source.position(("line", 0)) is None
    assert source.position(("layer", 0)) is None
    assert source.mistake_of_line(3, "no").line == 3


def test_the_outputs_of_the_net_are_those_of_the_model() -> None:
    both = nn("ConcatTable")
    for each in (nn("MulConstant", 2), nn("MulConstant", 3), nn("MulConstant", 5)):
        call(both, "add", each)
    last = nn("ConcatTable")
    for each in (nn("Identity"), nn("Mean", 2)):
        call(last, "add", each)
    net = builder(Source("net.lua", ""))
    x = net.input("data", (16, 3))
    made = translate(sequential(both, nn("SelectTable", -1), last), x, net)
    plan = plan_net(with_inputs(made, x), phase=TEST)
    assert [value.name for value in plan.outputs] == ["Mean1", "Split1"]
    assert [blob.name for blob in flat(made.outputs)] == ["Split1", "Mean1"]
    silence = made.definition.net.layer[-1]
    assert (silence.type, list(silence.bottom)) == ("Silence", ["MulConstant1", "MulConstant2"])


def test_a_module_is_no_loss() -> None:
    net = builder(Source("net.lua", TEXT))
    x = net.input("data", (3, 7))
    model, loss = sequential(nn("Linear", 7, 2)), nn("Linear", 7, 2, line=2)
    with pytest.raises(NetworkError, match=r"net\.lua:2:.*nn\.Linear: expected a criterion"):
        translate(model, x, net, loss=loss, target=x)


def test_a_mistake_names_the_module_once() -> None:
    net = builder(Source("net.lua", TEXT))
    model = nn("Linear", 7, 2, line=2)
    model.fields["weight"] = 3
    with pytest.raises(NetworkError) as caught:
        translate(model, inputs_of(net, [(3, 5)]), net)
    assert caught.value.mistakes[0].message == "nn.Linear: weight must be a tensor, got 3"
