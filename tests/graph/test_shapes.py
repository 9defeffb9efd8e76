"""Shapes that follow from other inputs."""

from __future__ import annotations

import pytest

from protonet.errors import LayerError
from protonet.graph.shapes import infer_all, infer_tops
from tests.graph.nets import SEED, net_of


def test_all_shapes_follow_from_the_inputs() -> None:
    net = net_of(SEED)
    plan = net.plan
    wanted = {value: value.shape or () for value in plan.inputs}
    for value in wanted:
        wanted[value] = (9, *wanted[value][1:])
    infer_all(plan, wanted)
    assert plan.last["output"].shape == (9, 2)
    assert infer_tops(plan.steps[1]) == [(9, 1, 4, 5)]


def test_what_does_not_suit_the_parameters_leaves_the_shapes_as_they_were() -> None:
    net = net_of(SEED)
    wanted = {value: (*(value.shape or ())[:-1], 7) for value in net.plan.inputs}
    with pytest.raises(LayerError, match='layer "hidden"'):
        infer_all(net.plan, wanted)
    assert net.plan.last["data"].shape == (3, 1, 4, 5)
