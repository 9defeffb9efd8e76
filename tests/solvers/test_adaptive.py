"""AdaGrad, RMSProp, AdaDelta and Adam: Caffe's trajectories, and settings that cannot be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from protonet.blob import Param, ParamStore
from protonet.device import Device
from protonet.proto.caffe_pb2 import SolverParameter
from protonet.solvers.mistakes import SolverError
from protonet.solvers.rules import make_rule, rule_findings

CASES = ["adagrad", "rmsprop", "adadelta", "adam"]


@pytest.mark.parametrize("case", CASES)
def test_the_trajectory_is_caffes(training: Callable[[str], Any], case: str) -> None:
    training(case).check_trajectory()


@pytest.mark.parametrize("case", CASES)
def test_a_resumed_training_has_the_same_bits(training: Callable[[str], Any], case: str) -> None:
    training(case).check_resume()


@pytest.mark.parametrize("kind", ["AdaGrad", "RMSProp", "AdaDelta", "Adam"])
def test_parameters_without_gradient_stay(kind: str) -> None:
    start = np.array([[1, -2, 3]], np.float32)
    store = ParamStore([Param("w", start)], Device("cpu"), np.float32)
    rule = make_rule(SolverParameter(type=kind), store, store.device)
    rule.step(0.1, 0)
    np.testing.assert_array_equal(store.params[0].data, start)
    assert np.isfinite(store.data).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"type": "AdaGrad", "delta": 0}, "type 'AdaGrad' needs delta above 0, got 0"),
        ({"type": "Adam", "delta": float("nan")}, "type 'Adam' needs delta above 0, got nan"),
        ({"type": "AdaGrad", "momentum": 0.9}, "type 'AdaGrad' has no momentum, got 0.9"),
        ({"type": "RMSProp", "momentum": 0.9}, "type 'RMSProp' has no momentum, got 0.9"),
        ({"type": "RMSProp", "rms_decay": 1}, "type 'RMSProp' needs rms_decay in [0, 1), got 1"),
        ({"type": "AdaDelta", "momentum": -1}, "type 'AdaDelta' needs momentum in [0, 1), got -1"),
        ({"type": "Adam", "momentum": 1}, "type 'Adam' needs momentum in [0, 1), got 1"),
        ({"type": "Adam", "momentum2": 1.5}, "type 'Adam' needs momentum2 in [0, 1), got 1.5"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], message: str) -> None:
    (finding,) = rule_findings(SolverParameter(**settings))
    assert finding.message == message
    assert finding.path == (list(settings)[-1],)
    store = ParamStore([], Device("cpu"), np.float32)
    with pytest.raises(SolverError):
        make_rule(SolverParameter(**settings), store, store.device)
