"""SGD and Nesterov: Caffe's trajectories."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from protonet.blob import Param, ParamStore
from protonet.device import Device
from protonet.proto.caffe_pb2 import SolverParameter
from protonet.solvers.update_rule import make_rule

CASES = [
    "sgd",
    "sgd_momentum_l2",
    "sgd_clip",
    "sgd_itersize",
    "lr_exp",
    "lr_inv",
    "lr_multistep",
    "lr_poly",
    "lr_sigmoid",
    "lr_step",
    "nesterov",
]


@pytest.mark.parametrize("case", CASES)
def test_the_trajectory_is_caffes(training: Callable[[str], Any], case: str) -> None:
    training(case).check_trajectory()


@pytest.mark.parametrize("case", ["sgd_momentum_l2", "sgd_clip", "sgd_itersize", "nesterov"])
def test_a_resumed_training_has_the_same_bits(training: Callable[[str], Any], case: str) -> None:
    training(case).check_resume()


@pytest.mark.parametrize("kind", ["SGD", "Nesterov"])
def test_frozen_parameters_rest_but_coast_on_a_restored_velocity(kind: str) -> None:
    start = np.array([1, -2, 3], np.float32)
    store = ParamStore([Param("w", start, None, 0, 1)], Device("cpu"), np.float32)
    solver = SolverParameter(type=kind, momentum=0.5, weight_decay=0.1)
    rule = make_rule(solver, store, store.device)
    rule.step(0.1, 0)
    np.testing.assert_array_equal(store.params[0].data, start)
    assert not store.diff.any()
    velocity = np.array([0, 8, 0], np.float32)
    rule.restore([velocity])
    rule.step(0.1, 1)
    # SGD moves by h' = 4; Nesterov by 1.5 h' - 0.5 h = 2.
    moved = [1, -6 if kind == "SGD" else -4, 3]
    np.testing.assert_array_equal(store.params[0].data, moved)
    np.testing.assert_array_equal(rule.history()[0], velocity / 2)
