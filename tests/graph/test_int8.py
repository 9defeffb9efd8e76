"""Nets in 8-bit integers: which values are measured, and how a file holds what was measured."""

from __future__ import annotations

import math

from protonet.graph.int8 import int8_params, integer_layers, measured_values, ranges_of
from protonet.proto.caffe_pb2 import TEST
from tests.graph.nets import plan_of

NET = """
layer { name: "data" type: "Input" top: "data"
  input_param { shape { dim: 2 dim: 3 dim: 9 dim: 9 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 6 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "norm" type: "BatchNorm" bottom: "conv" top: "conv" }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool"
  pooling_param { kernel_size: 2 stride: 2 } }
layer { name: "act" type: "TanH" bottom: "pool" top: "act" }
layer { name: "ip" type: "InnerProduct" bottom: "act" top: "ip"
  inner_product_param { num_output: 4 weight_filler { type: "xavier" } } }
layer { name: "prob" type: "Softmax" bottom: "ip" top: "prob" }
"""


def test_what_layers_read_is_measured_behind_those_that_are_folded() -> None:
    plan = plan_of(NET, TEST)
    assert integer_layers(plan) == ("conv", "relu", "pool", "ip")
    values = measured_values(plan)
    assert [(value.name, plan.steps[value.producer].name) for value in values] == [
        ("data", "data"),
        ("conv", "relu"),
        ("act", "act"),
    ]


def test_ranges_are_found_in_the_fields_that_are_made_of_them() -> None:
    plan = plan_of(NET, TEST)
    data, relu, act = measured_values(plan)
    ranges = {data: (-1.0, 2.0), relu: (0.0, 3.5), act: (-0.5, 0.75)}
    params = int8_params(plan, ranges)
    assert set(params) == {"data", "conv", "relu", "pool", "act", "ip"}
    assert [(each.low, each.high) for each in params["pool"].bottom] == [(0, 3.5)]
    assert not params["conv"].top[0].HasField("low")
    assert ranges_of(plan, params) == ranges
    # one of those who read or write a value is enough
    for name in ("data", "relu", "ip"):
        del params[name]
    assert ranges_of(plan, params) == ranges


def test_fields_of_another_net_are_ignored() -> None:
    plan = plan_of(NET, TEST)
    data, relu, _ = measured_values(plan)
    params = int8_params(plan, {data: (0.0, math.inf), relu: (0.0, 1.0)})
    del params["relu"]
    params["pool"].bottom.add(low=0, high=3)
    assert ranges_of(plan, params) == {}


def test_groups_of_few_channels_stay_in_float32() -> None:
    """Groups of two channels take longer in bytes; those of four do not, nor depthwise ones."""
    for group, layers in ((4, ("ip",)), (2, ("conv", "ip")), (8, ("conv", "ip"))):
        text = f"""
        layer {{ name: "data" type: "Input" top: "data"
          input_param {{ shape {{ dim: 2 dim: 8 dim: 5 dim: 7 }} }} }}
        layer {{ name: "conv" type: "Convolution" bottom: "data" top: "conv"
          convolution_param {{ num_output: 8 kernel_size: 3 group: {group} }} }}
        layer {{ name: "ip" type: "InnerProduct" bottom: "conv" top: "ip"
          inner_product_param {{ num_output: 4 }} }}
        """
        assert integer_layers(plan_of(text, TEST)) == layers
