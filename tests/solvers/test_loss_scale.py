"""The scale of a loss beside a store of parameters."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.blob import Param, ParamStore
from protonet.device import Device
from protonet.errors import TrainingError
from protonet.kernels.loss_scale import INITIAL_SCALE
from protonet.proto.caffe_pb2 import SolverParameter
from protonet.solvers.loss_scale import LossScale
from protonet.solvers.update_rule import make_rule


def scaled() -> tuple[LossScale, ParamStore, np.ndarray]:
    device = Device()
    store = ParamStore([Param("w", np.ones(3, np.float32))], device, np.float32)
    scale = device.zeros(())
    return LossScale(scale, store, device), store, scale


def test_gradients_are_divided_and_the_update_goes_on() -> None:
    scale, store, held = scaled()
    rule = make_rule(SolverParameter(type="SGD"), store, Device(), scale.halt)
    store.diff.fill(INITIAL_SCALE / 2)
    scale.settle()
    rule.step(0.5, 0)
    assert store.params[0].data.tolist() == [0.75] * 3
    assert (held.item(), scale.state()) == (INITIAL_SCALE, [INITIAL_SCALE, 1.0])


@pytest.mark.parametrize("kind", ["SGD", "Adam", "AdaDelta"])
def test_an_update_is_left_out_where_a_gradient_is_infinite(kind: str) -> None:
    scale, store, held = scaled()
    rule = make_rule(SolverParameter(type=kind, momentum=0.9), store, Device(), scale.halt)
    store.diff.fill(1.0)
    store.diff[1] = np.inf
    before = [each.tobytes() for each in rule.history()]
    scale.settle()
    rule.step(0.5, 0)
    assert store.params[0].data.tolist() == [1.0] * 3
    assert [each.tobytes() for each in rule.history()] == before
    assert held.item() == INITIAL_SCALE / 2


def test_a_state_can_be_taken_up_again() -> None:
    scale, store, _ = scaled()
    store.diff.fill(1.0)
    for _ in range(3):
        scale.settle()
    other, _, held = scaled()
    other.restore([2.0, 7.0])
    assert (held.item(), other.state()) == (2.0, [2.0, 7.0])
    other.restore(scale.state())
    assert other.state() == [INITIAL_SCALE, 3.0]


def test_gradients_that_no_scale_makes_finite_end_the_training() -> None:
    scale, store, _ = scaled()
    for _ in range(39):
        store.diff.fill(np.nan)
        scale.settle()
    scale.check()
    store.diff.fill(np.nan)
    scale.settle()
    with pytest.raises(TrainingError, match="bfloat16"):
        scale.check()
