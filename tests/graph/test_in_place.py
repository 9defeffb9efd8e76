"""Layers in place where a name is one array: what is copied before it is overwritten."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.device import Device
from protonet.graph.memory import Layout, lay_out
from protonet.graph.net import Net
from protonet.graph.plan import Plan
from protonet.proto.caffe_pb2 import TEST
from tests.graph.nets import plan_of

HEAD = """
layer { name: "in" type: "Input" top: "x" top: "t" input_param {
  shape { dim: 2 dim: 3 dim: 4 dim: 5 } shape { dim: 2 dim: 3 dim: 4 dim: 5 } } }
"""
TAIL = 'layer { name: "loss" type: "EuclideanLoss" bottom: "c" bottom: "t" top: "loss" }'
CHAIN = (
    HEAD
    + """
layer { name: "c" type: "Convolution" bottom: "x" top: "c" convolution_param {
  num_output: 3 kernel_size: 1 weight_filler { type: "gaussian" std: 1 } } }
layer { name: "bn" type: "BatchNorm" bottom: "c" top: "c" }
layer { name: "scale" type: "Scale" bottom: "c" top: "c" scale_param { bias_term: true
  filler { type: "uniform" min: 0.5 max: 2 } } }
layer { name: "relu" type: "ReLU" bottom: "c" top: "c" }
"""
    + TAIL
)
STRANGE = (
    HEAD
    + """
layer { name: "c" type: "Convolution" bottom: "x" top: "c" convolution_param {
  num_output: 3 kernel_size: 1 weight_filler { type: "gaussian" std: 1 } } }
layer { name: "lrn" type: "LRN" bottom: "c" top: "c" lrn_param { local_size: 3 alpha: 1 } }
layer { name: "act" type: "Sigmoid" bottom: "c" top: "c" }
layer { name: "norm" type: "Convolution" bottom: "c" top: "c" convolution_param {
  num_output: 3 kernel_size: 3 pad: 1 weight_filler { type: "gaussian" std: 1 } } }
layer { name: "p" type: "Pooling" bottom: "c" top: "c" pooling_param { kernel_size: 3 pad: 1 } }
"""
    + TAIL
)


def apart(text: str) -> str:
    """The same net with a name for each step."""
    lines, number = [], 0
    for line in text.split("layer {"):
        if 'bottom: "c" top: "c"' in line:
            line = line.replace('bottom: "c" top: "c"', f'bottom: "c{number}" top: "c{number + 1}"')
            number += 1
        else:
            line = line.replace('top: "c"', 'top: "c0"').replace(
                'bottom: "c"', f'bottom: "c{number}"'
            )
        lines.append(line)
    return "layer {".join(lines)


def trained(plan: Plan) -> tuple[float, np.ndarray, np.ndarray]:
    """The loss, the gradients of parameters, and that of the input."""
    net = Net(plan, Device(), seed=4)
    generator = np.random.default_rng(2)
    for name in ("x", "t"):
        net.blobs[name].data[...] = generator.normal(size=net.blobs[name].shape)
    net.forward()
    net.backward()
    diff = net.blobs["x"].diff
    return net.loss(), net.store.diff.copy(), np.zeros(0) if diff is None else diff.copy()


@pytest.mark.parametrize("text", [CHAIN, STRANGE], ids=["usual", "that cannot work in place"])
def test_a_net_in_place_learns_as_one_with_a_name_for_each_step(text: str) -> None:
    text = "force_backward: true " + text
    for found, expected in zip(trained(plan_of(text)), trained(plan_of(apart(text))), strict=True):
        np.testing.assert_array_equal(found, expected)


def layout_of(text: str) -> tuple[Plan, Layout]:
    plan = plan_of(text)
    return plan, lay_out(plan, gradients=True)


def test_only_what_a_backward_pass_reads_is_copied() -> None:
    """BatchNorm reads its top and Scale its bottom, which are one copy; ReLU reads its own top."""
    plan, layout = layout_of(CHAIN)
    assert layout.save_before == {3: (plan.steps[2].tops[0],)}
    assert list(layout.saved_diff) == [3], "in training, Scale does not work in place"
    assert not lay_out(plan_of(CHAIN, TEST), gradients=False).save_before


def test_a_layer_that_cannot_work_in_place_reads_a_copy() -> None:
    plan, layout = layout_of(STRANGE)
    assert {plan.steps[index].name for index in layout.saved_diff} == {"lrn", "norm", "p"}
    forward_only = lay_out(plan_of(STRANGE, TEST), gradients=False)
    assert {plan.steps[index].name for index in forward_only.saved_diff} == {"lrn", "norm", "p"}


def test_a_view_of_what_is_overwritten_has_memory_of_its_own() -> None:
    text = (
        HEAD
        + """
layer { name: "flat" type: "Flatten" bottom: "x" top: "flat" }
layer { name: "relu" type: "ReLU" bottom: "flat" top: "flat" }
layer { name: "seen" type: "Flatten" bottom: "t" top: "seen" }
"""
    )
    plan = plan_of(text, TEST)
    layout = lay_out(plan, gradients=False)
    assert layout.storage[plan.last["flat"]] != layout.storage[plan.last["x"]]
    assert layout.storage[plan.last["seen"]] == layout.storage[plan.last["t"]]
