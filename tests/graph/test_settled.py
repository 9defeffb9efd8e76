"""Calls that are left of a forward pass once weights are packed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.graph.net import Net
from protonet.graph.settled import Settled
from protonet.layers.convolution import Convolution
from protonet.proto.caffe_pb2 import TEST
from tests.graph.nets import plan_of

NET = """
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 9 dim: 8 } } }
layer { name: "conv" type: "Convolution" bottom: "x" top: "conv"
  convolution_param { num_output: 8 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "conv" }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "dw" type: "Convolution" bottom: "conv" top: "dw"
  convolution_param { num_output: 8 kernel_size: 3 group: 8 weight_filler { type: "xavier" } } }
layer { name: "sum" type: "Eltwise" bottom: "dw" bottom: "dw" top: "sum" }
layer { name: "ip" type: "InnerProduct" bottom: "sum" top: "ip"
  inner_product_param { num_output: 4 weight_filler { type: "xavier" } } }
layer { name: "unit" type: "InnerProduct" bottom: "sum" top: "unit"
  inner_product_param { num_output: 4 normalize: true weight_filler { type: "xavier" } } }
"""
X = np.random.default_rng(0).normal(size=(2, 3, 9, 8))


def net_of(device: Device | None = None, **more: Any) -> Net:
    how: Any = {"gradients": False, "packed": True, "keep_weights": True, **more}
    net = Net(plan_of(NET, phase=TEST), device or Device(), seed=3, **how)
    net.inputs["x"].data[...] = X
    return net


def answers(net: Net) -> dict[str, np.ndarray]:
    net.forward()
    return {name: values for name, values, _ in net.outputs()}


def same(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> bool:
    """Rows that are unit vectors are brought to that anew in each pass."""
    assert found.keys() == wanted.keys() == {"ip", "unit"}
    return np.array_equal(found["ip"], wanted["ip"]) and np.allclose(found["unit"], wanted["unit"])


def test_later_passes_are_as_the_first() -> None:
    net = net_of()
    first = answers(net)
    assert isinstance(net._settled, Settled)
    assert same(answers(net), first)
    net.inputs["x"].data[...] = 2 * X
    assert not same(answers(net), first)
    net.inputs["x"].data[...] = X
    assert same(answers(net), first)
    assert net.clock.iteration == 4


def test_layers_are_left_out_where_a_kernel_has_a_function() -> None:
    net = net_of()
    net.forward()
    assert net._settled is not None
    (before,) = net._forward
    owners = [type(getattr(call, "__self__", None)).__name__ for call, _ in net._settled.calls]
    assert len(owners) == len(before)
    assert "Eltwise" in owners
    if net._settled.calls[0][0] != before[0][0]:
        assert "Convolution" not in owners
        assert owners.count("InnerProduct") == 1, "the one with unit rows"


@pytest.mark.parametrize("settled", [True, False])
def test_new_weights_are_read(settled: bool) -> None:
    net, other = net_of(), net_of()
    weights = {name: [2 * values for values in params if values is not None]
               for name, params in other.stored_params().items()}  # fmt: skip
    for each in (net, other):
        each.forward()
    if settled:
        answers(net)
    before = answers(other)
    net.load(weights, "w")
    changed = answers(net)
    assert not same(changed, before)
    assert same(answers(net), changed)
    fresh = net_of()
    fresh.load(weights, "w")
    assert same(answers(fresh), changed)


def test_weights_that_another_net_shares() -> None:
    net, other = net_of(), net_of()
    other.share_with(net)
    answers(other)
    weights = {name: [2 * values for values in params if values is not None]
               for name, params in net.stored_params().items()}  # fmt: skip
    net.load(weights, "w")
    for layer in other.layers:
        layer.forget_weights()
    assert same(answers(other), answers(net))


def test_other_shapes() -> None:
    net = net_of()
    whole = answers(net)
    net.reshape({"x": (1, 3, 9, 8)})
    net.inputs["x"].data[...] = X[1:]
    for _ in range(2):
        found = answers(net)
        np.testing.assert_allclose(found["ip"], whole["ip"][1:], rtol=1e-5, atol=1e-6)


def test_nets_whose_weights_change_call_layers() -> None:
    net = net_of(keep_weights=False)
    net.forward()
    assert net._settled is None


def test_a_layer_that_computes_in_another_way_is_called() -> None:
    class Twice(Convolution):
        def forward(self, bottoms: Any, tops: Any) -> None:
            super().forward(bottoms, tops)
            tops[0] *= 2

    net = net_of()
    first = answers(net)
    index = [step.name for step in net.plan.steps].index("conv")
    net.layers[index].__class__ = Twice
    net._prepare()
    twice = answers(net)
    assert not same(twice, first)
    assert same(answers(net), twice)
