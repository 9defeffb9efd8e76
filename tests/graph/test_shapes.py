"""Shapes that follow from other inputs."""

from __future__ import annotations

import pytest

from protonet.errors import LayerError
from protonet.graph.shapes import at_batch, infer_tops, reshaped
from tests.graph.nets import SEED, net_of, plan_of


def test_all_shapes_follow_from_the_inputs() -> None:
    net = net_of(SEED)
    plan = net.plan
    wanted = {value: (9, *value.shape[1:]) for value in plan.inputs}
    other = reshaped(plan, net.layers, wanted)
    assert other.last["output"].shape == (9, 2)
    assert other.last["output"] == plan.last["output"], "the same value, in another shape"
    assert infer_tops(other.steps[1], net.layers[1], [(9, 1, 4, 5)]) == [(9, 1, 4, 5)]
    assert plan.last["output"].shape == (3, 2), "a plan is a value"


def test_what_does_not_suit_the_parameters_is_refused() -> None:
    net = net_of(SEED)
    wanted = {value: (*value.shape[:-1], 7) for value in net.plan.inputs}
    with pytest.raises(LayerError, match='layer "hidden"'):
        reshaped(net.plan, net.layers, wanted)


def test_another_batch() -> None:
    plan = plan_of(SEED)
    assert at_batch(plan, 7).last["output"].shape == (7, 2)
    assert at_batch(plan, plan.inputs[0].shape[0]) is plan
