"""Prepared calls: which steps are called, in segments and in reverse."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from protonet.device import Device
from protonet.graph.arrays import Arrays
from protonet.graph.calls import Call, Calls
from protonet.graph.memory import lay_out
from protonet.graph.net import Net
from protonet.graph.plan import Plan
from tests.graph.nets import FAN_OUT, plan_of

FILTERS = """
layer { name: "in" type: "Input" top: "x" top: "on" input_param {
  shape { dim: 4 dim: 3 } shape { dim: 4 } } }
layer { name: "a" type: "Power" bottom: "x" top: "a" }
layer { name: "f" type: "Filter" bottom: "a" bottom: "on" top: "f" }
layer { name: "flat" type: "Flatten" bottom: "f" top: "flat" }
layer { name: "b" type: "Power" bottom: "flat" top: "b" }
"""


def names(steps: Iterable[tuple[int, list[Call]]]) -> list[str]:
    """The layers (or other functions) that are called."""
    return [
        getattr(call, "__self__", call).name if hasattr(call, "__self__") else call.__name__
        for _, calls in steps
        for call, _ in calls
    ]


def calls_of(plan: Plan, *, gradients: bool) -> Calls:
    """The calls of a plan on the CPU."""
    layout, device = lay_out(plan, gradients=gradients), Device()
    layers = [step.layer for step in plan.steps]
    return Calls(plan, layers, layout, Arrays(layout, device), device)


def test_a_segment_ends_where_a_dynamic_step_is_measured() -> None:
    measured: list[int] = []

    def follow(index: int) -> None:
        measured.append(index)

    first, second = calls_of(plan_of(FILTERS), gradients=False).forward(follow, follow)
    assert names(first) == ["a", "follow"]
    assert names(second) == ["f", "b"]
    index, [(call, arguments)] = first[-1]
    call(*arguments)
    assert index == 2
    assert measured == [2]


def test_without_dynamic_steps_there_is_one_segment() -> None:
    (only,) = calls_of(plan_of(FAN_OUT), gradients=True).forward(print, print)
    assert names(only) == ["base", "act", "left", "right", "join", "loss"]


def test_backward_writes_first_and_adds_later() -> None:
    """h has three consumers: the last one writes its gradient, two are added."""
    steps = dict(calls_of(plan_of(FAN_OUT), gradients=True).backward())
    assert list(steps) == [7, 6, 5, 4, 3, 2, 1]
    assert {at: len(calls) for at, calls in steps.items()} == {
        7: 0,
        6: 1,
        5: 1,
        4: 2,
        3: 2,
        2: 1,
        1: 1,
    }
    assert steps[4][1][0].__name__ == "add"


CHOSEN = """
force_backward: true
layer { name: "in" type: "Input" top: "x" top: "on" input_param {
  shape { dim: 4 dim: 2 dim: 5 dim: 5 } shape { dim: 4 } } }
layer { name: "f" type: "Filter" bottom: "x" bottom: "on" top: "f" }
layer { name: "c" type: "Convolution" bottom: "f" top: "c" convolution_param {
  num_output: 3 kernel_size: 3 weight_filler { type: "gaussian" } } }
layer { name: "bn" type: "BatchNorm" bottom: "c" top: "c" }
layer { name: "act" type: "ReLU" bottom: "c" top: "c" }
layer { name: "r" type: "Reshape" bottom: "c" top: "r" reshape_param {
  shape { dim: 0 dim: -1 } } }
layer { name: "ip" type: "InnerProduct" bottom: "r" top: "ip" inner_product_param {
  num_output: 3 weight_filler { type: "gaussian" } } }
layer { name: "both" type: "Concat" bottom: "ip" bottom: "r" top: "both" }
layer { name: "sum" type: "Reduction" bottom: "both" top: "loss" loss_weight: 1 }
"""


@pytest.mark.parametrize("packed", [False, True])
def test_a_batch_of_no_items_goes_through_every_layer(packed: bool) -> None:
    net, other = (Net(plan_of(CHOSEN), Device(), seed=1, packed=packed) for _ in range(2))
    x = np.random.default_rng(0).normal(size=(4, 2, 5, 5))
    for each, batches in ((net, ([1, 1, 1, 1], [0, 0, 0, 0], [0, 1, 1, 0])), (other, ([1] * 4,))):
        for on in batches:
            each.inputs["x"].data[...] = x
            each.inputs["on"].data[...] = on
            each.store.diff.fill(0)
            each.forward()
            each.backward()
            if not any(on):
                assert each.loss() == 0
                assert not each.store.diff.any()
                assert each.inputs["x"].diff is not None
                assert not each.inputs["x"].diff.any()
                kept = [param.data.copy() for param in each.params["bn"]]
    other.reshape({"x": (2, 2, 5, 5), "on": (2,)})
    other.inputs["x"].data[...], other.inputs["on"].data[...] = x[1:3], 1
    other.store.diff.fill(0)
    other.forward()
    other.backward()
    assert net.loss() == other.loss()
    np.testing.assert_array_equal(net.store.diff, other.store.diff)
    assert kept[2] == 1, "statistics of nothing count nothing"


REINDEXED = """
force_backward: true
layer { name: "in" type: "Input" top: "x" top: "i" input_param {
  shape { dim: 3 dim: 2 } shape { dim: 2 } } }
layer { name: "l" type: "BatchReindex" bottom: "x" bottom: "i" top: "y" }
layer { name: "sum" type: "Reduction" bottom: "y" top: "loss" loss_weight: 1 }
"""


def test_what_gave_no_item_has_a_gradient_of_zeros() -> None:
    net = Net(plan_of(REINDEXED), Device())
    net.inputs["i"].data[...] = [0, 2]
    net.forward()
    net.backward()
    diff = net.inputs["x"].diff
    assert diff is not None
    assert diff.tolist() == [[1, 1], [0, 0], [1, 1]]
    net.reshape({"i": (0,)})
    net.inputs["x"].diff[...] = 7
    net.forward()
    net.backward()
    diff = net.inputs["x"].diff
    assert diff is not None
    assert not diff.any()
