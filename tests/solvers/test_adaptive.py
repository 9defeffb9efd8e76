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
from protonet.solvers.update_rule import make_rule, rule_findings

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


@pytest.mark.parametrize("regularization", ["L2", "L1"])
def test_adamw_decays_beside_the_averages(regularization: str) -> None:
    """Against Loshchilov and Hutter's formulas in float64, as PyTorch places eps."""
    rng = np.random.default_rng(4)
    w = rng.standard_normal((3, 5))
    store = ParamStore([Param("w", w.astype(np.float32))], Device("cpu"), np.float32)
    rule = make_rule(
        SolverParameter(
            type="AdamW", momentum=0.8, momentum2=0.95, delta=1e-3, weight_decay=0.5,
            regularization_type=regularization,
        ),
        store,
        store.device,
    )  # fmt: skip
    m, v = np.zeros_like(w), np.zeros_like(w)
    for t in range(1, 8):
        g = rng.standard_normal(w.shape)
        store.params[0].diff[...] = g
        rule.step(0.1, t - 1)
        w = w - 0.1 * 0.5 * (w if regularization == "L2" else np.sign(w))
        m = 0.8 * m + 0.2 * g
        v = 0.95 * v + 0.05 * g * g
        w = w - 0.1 * (m / (1 - 0.8**t)) / (np.sqrt(v / (1 - 0.95**t)) + 1e-3)
        np.testing.assert_allclose(store.params[0].data, w, rtol=2e-5, atol=2e-6)
    np.testing.assert_allclose(rule.history()[0], m, rtol=1e-5, atol=1e-6)


def test_adamw_without_decay_is_adam_but_for_delta() -> None:
    moved = []
    for kind in ("Adam", "AdamW"):
        store = ParamStore([Param("w", np.ones((2, 3), np.float32))], Device("cpu"), np.float32)
        rule = make_rule(SolverParameter(type=kind, momentum=0.9, delta=1e-12), store, store.device)
        for iteration in range(3):
            store.params[0].diff[...] = [[0.5, -2, 3], [1, 0.1, -0.2]]
            rule.step(0.01, iteration)
        moved.append(store.params[0].data.copy())
    np.testing.assert_allclose(moved[0], moved[1], rtol=1e-6)
    assert not np.allclose(moved[0], 1)
