"""Which convolutions are computed with the pooling of their results, and that answers are those of
one after another.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.graph import pixels
from protonet.graph.net import Net
from protonet.layers.pooling import Pooling
from protonet.proto.caffe_pb2 import TEST
from tests.graph.nets import plan_of
from tests.graph.pixel_nets import answering, chains, net_of, two_threads

__all__ = ["two_threads"]

NET = """
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 4 dim: 3 dim: 40 dim: 40 } } }
layer { name: "one" type: "Convolution" bottom: "x" top: "one"
  convolution_param { num_output: 32 kernel_size: 5 pad: 2 weight_filler { type: "xavier" } } }
layer { name: "max" type: "Pooling" bottom: "one" top: "max"
  pooling_param { kernel_size: 3 stride: 2 } }
layer { name: "relu" type: "ReLU" bottom: "max" top: "max" }
layer { name: "two" type: "Convolution" bottom: "max" top: "two"
  convolution_param { num_output: 24 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "two/relu" type: "ReLU" bottom: "two" top: "two" }
layer { name: "mean" type: "Pooling" bottom: "two" top: "mean"
  pooling_param { pool: AVE kernel_size: 3 stride: 2 } }
layer { name: "answer" type: "InnerProduct" bottom: "mean" top: "answer"
  inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
"""
FIRST, LAST = ("one", "max", "relu"), ("two", "mean")


def answer(net: Net) -> np.ndarray:
    net.inputs["x"].data[...] = np.random.default_rng(0).normal(size=(4, 3, 40, 40))
    net.forward()
    net.forward()
    ((_, values, _),) = net.outputs()
    return values


def test_answers_are_those_of_one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    net = net_of(NET)
    assert chains(net) == [FIRST, LAST]
    found = answer(net)
    monkeypatch.setattr(pixels, "pooled", lambda plan, types, taken: {})
    apart = net_of(NET)
    assert chains(apart) == []
    np.testing.assert_array_equal(found, answer(apart))
    assert np.abs(found).max() > 0.1


def test_what_is_between_has_no_memory() -> None:
    """The pooled values and those of the ReLU share theirs where they are apart."""
    net = net_of(NET)
    pooled = {step.name: step.tops[0] for step in net.plan.steps}
    assert not {pooled["one"], pooled["max"], pooled["two"]} & set(net.layout.storage)
    assert {pooled["relu"], pooled["mean"]} < set(net.layout.storage)
    assert net.layout.arena < 4 * 4 * 32 * 40 * 40


def test_values_that_others_see_are_stored() -> None:
    other = 'layer {{ name: "other" type: "Power" bottom: "{0}" top: "other" }}\n'
    assert chains(net_of(NET + other.format("one"))) == [LAST]
    named = NET.replace('bottom: "max" top: "max"', 'bottom: "max" top: "relu"')
    named = named.replace('bottom: "max" top: "two"', 'bottom: "relu" top: "two"')
    assert chains(net_of(named)) == [FIRST, LAST]
    assert chains(net_of(named + other.format("max"))) == [FIRST[:2], LAST]


def test_layers_of_other_kinds_are_no_chain() -> None:
    shown = NET.replace('top: "max"\n', 'top: "max" top: "places"\n')
    assert chains(net_of(shown)) == [LAST]
    assert chains(net_of(NET.replace("pad: 1", "pad: 1 group: 2"))) == [FIRST]
    assert chains(net_of(NET.replace("kernel_size: 3 stride: 2", "kernel_size: 1 stride: 2"))) == []
    leaky = NET.replace('bottom: "max" top: "max"', 'bottom: "max" top: "max" '
                        "relu_param { negative_slope: 0.1 }")  # fmt: skip
    assert chains(net_of(leaky)) == [FIRST[:2], LAST]
    means = NET.replace("kernel_size: 3 stride: 2", "pool: AVE kernel_size: 3 stride: 2")
    assert chains(net_of(means.replace("pool: AVE pool: AVE", "pool: AVE")))[0] == FIRST[:2]
    assert chains(net_of(NET, precision=np.float16)) == []


def test_layers_that_compute_in_another_way_are_no_chain() -> None:
    class Twice(Pooling):
        def forward(self, bottoms: Any, tops: Any) -> None:
            super().forward(bottoms, tops)
            tops[0] *= 2

    plan = plan_of(NET, phase=TEST)
    (own,) = (step.layer for step in plan.steps if step.name == "max")
    own.__class__ = Twice
    net = answering(plan)
    assert chains(net) == [LAST]
