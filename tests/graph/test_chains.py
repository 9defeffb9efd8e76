"""The steps around one that computes over pixels."""

from __future__ import annotations

from protonet.graph.chains import behind, convolution, is_alone, only_reader, written
from tests.graph.pixel_nets import net_of, two_threads

__all__ = ["two_threads"]

NET = """
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 16 dim: 9 dim: 9 } } }
layer { name: "one" type: "Convolution" bottom: "x" top: "one"
  convolution_param { num_output: 32 kernel_size: 1 } }
layer { name: "relu" type: "ReLU" bottom: "one" top: "one" }
layer { name: "aside" type: "Power" bottom: "x" top: "aside" power_param { power: 2 } }
layer { name: "two" type: "Convolution" bottom: "one" top: "two"
  convolution_param { num_output: 16 kernel_size: 3 } }
layer { name: "left" type: "Pooling" bottom: "two" top: "left" pooling_param { kernel_size: 2 } }
layer { name: "right" type: "Pooling" bottom: "two" top: "right" pooling_param { kernel_size: 3 } }
"""


def test_what_is_around_a_step() -> None:
    net = net_of(NET)
    plan, types = net.plan, net.layout.types
    at = {step.name: index for index, step in enumerate(plan.steps)}
    assert plan.steps[at["relu"]].absorbed_by == at["one"]
    assert written(plan, plan.steps[at["one"]]) is plan.steps[at["relu"]].tops[0]
    assert behind(plan, at["one"]) == at["two"]
    assert behind(plan, at["two"]) is None, "two layers read it"
    assert behind(plan, at["left"]) is None, "an output"
    assert only_reader(plan, plan.steps[at["one"]].bottoms[0]) is None
    assert is_alone(plan, (at["one"], at["aside"]))
    assert not is_alone(plan, (at["one"], at["two"])), "another layer runs between them"
    assert convolution(plan, types, at["left"]) is None
    shape = convolution(plan, types, at["two"])
    assert shape is not None
    assert shape[1:] == (2, 32, 16, 1)
