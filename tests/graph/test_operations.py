"""Layers as a net runs them: copies of those of the plan."""

from __future__ import annotations

import numpy as np

from protonet.device import Device
from protonet.graph.fusion import fuse
from protonet.graph.operations import prepared_layers
from protonet.kernels.random_stream import Clock
from tests.graph.nets import SEED, plan_of


def test_two_nets_of_a_plan_have_layers_of_their_own() -> None:
    device = Device()
    plan = plan_of(SEED)
    one, other = (
        prepared_layers(plan, device, np.float32, 3, Clock(device), gradients=each)
        for each in (True, False)
    )
    assert [layer.name for layer in one] == [step.name for step in plan.steps]
    assert not {map(id, one)} & {map(id, other)}
    assert (one[1].gradients, other[1].gradients) == (True, False)
    assert "device" not in vars(plan.steps[1].layer), "the description has no processor"


def test_what_is_fused_are_layers_of_the_same_net() -> None:
    device = Device()
    text = SEED.replace(
        'name: "loss"',
        'name: "act" type: "ReLU" bottom: "output" top: "act" } layer { name: "loss"',
    ).replace('bottom: "output" bottom: "label"', 'bottom: "act" bottom: "label"')
    plan = fuse(plan_of(text), gradients=True)
    layers = prepared_layers(plan, device, np.float32, 0, Clock(device), gradients=True)
    by_name = {layer.name: layer for layer in layers}
    assert by_name["hidden"].fused.layers == (by_name["act"],)
    assert by_name["hidden"].fused.rectify
    assert not by_name["act"].fused.layers
