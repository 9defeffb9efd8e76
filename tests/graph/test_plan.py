"""What a plan says of a net."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from protonet.graph.plan import close_layers
from protonet.layers.base import Layer, Stateful
from protonet.proto.caffe_pb2 import LayerParameter
from tests.graph.nets import SEED, plan_of


def test_shapes_and_parameters_of_the_seed_net() -> None:
    plan = plan_of(SEED)
    shapes = {value.name: value.shape for value in plan.values}
    assert shapes == {
        "data": (3, 1, 4, 5),
        "label": (3, 2),
        "scale": (3, 1, 4, 5),
        "output": (3, 2),
        "loss": (),
    }
    assert [weight.shape for weight in plan.steps[2].weights] == [(2, 20), (2,)]
    assert [value.name for value in plan.inputs] == ["data", "label"]
    assert [value.name for value in plan.outputs] == ["loss"]


def test_other_shapes_make_another_plan() -> None:
    plan = plan_of(SEED)
    output = plan.last["output"]
    other = plan.with_shapes({output: (7, 2)})
    assert other.values[output.number].shape == other.steps[2].tops[0].shape == (7, 2)
    assert plan.last["output"].shape == (3, 2)
    assert plan.with_shapes({output: (3, 2)}) is plan


def test_layers_with_files_are_closed() -> None:
    closed = []

    class Reading(Stateful):
        def close(self) -> None:
            closed.append(self.name)

    spec = LayerParameter(name="data")
    close_layers([None, Layer(spec), Reading(spec)])
    assert closed == ["data"]


def test_a_plan_is_a_value() -> None:
    """Nothing of it can be set, in those made from it neither."""
    plan = plan_of(SEED)
    bigger = plan.with_shapes({plan.last["data"]: (4, 1, 50, 50)})
    for each in (plan, bigger):
        with pytest.raises(FrozenInstanceError):
            each.phase = 1
        with pytest.raises(FrozenInstanceError):
            each.steps[0].params = ()
        with pytest.raises(FrozenInstanceError):
            each.last["data"].shape = (1,)
        with pytest.raises(TypeError):
            each.last["data"] = each.values[0]
