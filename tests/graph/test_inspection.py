"""Sizes of blobs, as debug_info prints them."""

from __future__ import annotations

import numpy as np

from protonet.graph.inspection import describe_passes, describe_update, tops_in_order
from protonet.proto.caffe_pb2 import TEST
from tests.graph.nets import SEED, net_of


def test_every_blob_of_both_passes_in_order() -> None:
    net = net_of(SEED)
    lines = describe_passes(net)
    assert [line.rpartition(":")[0] for line in lines[:-1]] == [
        "    [Forward] Layer data, top blob data data",
        "    [Forward] Layer data, top blob label data",
        "    [Forward] Layer scale, top blob scale data",
        "    [Forward] Layer hidden, top blob output data",
        "    [Forward] Layer hidden, param blob 0 data",
        "    [Forward] Layer hidden, param blob 1 data",
        "    [Forward] Layer loss, top blob loss data",
        "    [Backward] Layer loss, bottom blob output diff",
        "    [Backward] Layer hidden, param blob 0 diff",
        "    [Backward] Layer hidden, param blob 1 diff",
    ]
    weight, diff = net.store.data, net.store.diff
    assert lines[4].endswith(f": {np.abs(net.params['hidden'][0].data).mean(dtype=float):g}")
    assert lines[-1] == (
        "    [Backward] All net params (data, diff): "
        f"L1 norm = ({np.abs(weight).sum(dtype=float):g}, {np.abs(diff).sum(dtype=float):g}); "
        f"L2 norm = ({np.linalg.norm(weight.astype(float)):g}, "
        f"{np.linalg.norm(diff.astype(float)):g})"
    )


def test_tops_in_order_are_every_top() -> None:
    names = [value.name for _, value, _ in tops_in_order(net_of(SEED))]
    assert names == ["data", "label", "scale", "output", "loss"]


IN_PLACE = """
layer { name: "in" type: "Input" top: "x" top: "t" input_param {
  shape { dim: 2 dim: 3 } shape { dim: 2 dim: 2 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "h"
  inner_product_param { num_output: 2 bias_filler { value: -2 } } }
layer { name: "off" type: "Power" bottom: "h" top: "h" power_param { scale: 2 shift: 8 } }
layer { name: "loss" type: "EuclideanLoss" bottom: "h" bottom: "t" top: "loss" }
"""


def test_a_layer_in_place_is_told_of_as_its_blob_was_then() -> None:
    """-2 of the bias, then 2 * -2 + 8."""
    told = {
        line.split(" data: ")[0]: line.split(": ")[-1] for line in describe_passes(net_of(IN_PLACE))
    }
    assert told["    [Forward] Layer ip, top blob h"] == "2"
    assert told["    [Forward] Layer off, top blob h"] == "4"


def test_a_net_without_gradients_has_a_forward_pass_only() -> None:
    net = net_of(SEED, TEST)
    assert {line.split()[0] for line in describe_passes(net)} == {"[Forward]"}


def test_an_update_is_what_was_taken_off() -> None:
    net = net_of(SEED.replace("inner_product_param", 'param { name: "w" } inner_product_param'))
    before = [param.data.copy() for param in net.store.params]
    net.params["hidden"][0].data[...] -= 0.25
    net.params["hidden"][1].data[...] = 1
    named, bias = describe_update(net, before)
    assert named.startswith("    [Update] param w data: ")
    assert named.endswith("; diff: 0.25")
    assert bias == "    [Update] Layer hidden, param 1 data: 1; diff: 1"
