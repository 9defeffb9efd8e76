"""The rules of Torch7's optim: its formulas in float64, its defaults, and exact resume."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from protonet.blob import Param, ParamStore
from protonet.device import Device
from protonet.proto.caffe_pb2 import SolverParameter
from protonet.solvers.mistakes import SolverError
from protonet.solvers.schedules import make_schedule
from protonet.solvers.update_rule import Rule, make_rule, rule_findings

State = dict[str, Any]
Optim = Callable[[np.ndarray, np.ndarray, State, float], np.ndarray]
"""An optimizer of torch/optim as a function: x, its gradient, the state and the learning rate."""

TYPES = ["TorchSGD", "TorchNAG", "TorchAdam", "TorchAdaGrad", "TorchRMSProp", "TorchAdaDelta"]


def sgd(momentum: float, dampening: float | None = None, nesterov: bool = False) -> Optim:
    def step(x: np.ndarray, g: np.ndarray, state: State, lr: float) -> np.ndarray:
        share = 1 - (momentum if dampening is None else dampening)
        if momentum:
            state["v"] = momentum * state["v"] + share * g if "v" in state else g.copy()
            g = g + momentum * state["v"] if nesterov else state["v"]
        return x - lr * g

    return step


def nag(x: np.ndarray, g: np.ndarray, state: State, lr: float) -> np.ndarray:
    """``x`` is optim's after its step towards the momentum: where the gradient is taken."""
    v = state.get("v", np.zeros_like(x))
    at = x - 0.9 * v
    state["v"] = 0.9 * v - lr * g
    return at + 0.9 * v - lr * g + 0.9 * state["v"]


def adam(x: np.ndarray, g: np.ndarray, state: State, lr: float) -> np.ndarray:
    t = state["t"] = state.get("t", 0) + 1
    m = state["m"] = 0.9 * state.get("m", np.zeros_like(x)) + (1 - 0.9) * g
    v = state["v"] = 0.999 * state.get("v", np.zeros_like(x)) + (1 - 0.999) * g * g
    return x - lr * np.sqrt(1 - 0.999**t) / (1 - 0.9**t) * m / (np.sqrt(v) + 1e-8)


def adagrad(x: np.ndarray, g: np.ndarray, state: State, lr: float) -> np.ndarray:
    v = state["v"] = state.get("v", np.zeros_like(x)) + g * g
    return x - lr * g / (np.sqrt(v) + 1e-10)


def rmsprop(x: np.ndarray, g: np.ndarray, state: State, lr: float) -> np.ndarray:
    m = state["m"] = 0.99 * state.get("m", np.zeros_like(x)) + 0.01 * g * g
    return x - lr * g / (np.sqrt(m) + 1e-8)


def adadelta(x: np.ndarray, g: np.ndarray, state: State, lr: float) -> np.ndarray:
    v = state["v"] = 0.9 * state.get("v", np.zeros_like(x)) + 0.1 * g * g
    before = state.get("d", np.zeros_like(x))
    delta = np.sqrt(before + 1e-6) / np.sqrt(v + 1e-6) * g
    state["d"] = 0.9 * before + 0.1 * delta * delta
    return x - delta


CASES: list[tuple[dict[str, Any], Optim]] = [
    ({"type": "TorchSGD"}, sgd(0)),
    ({"type": "TorchSGD", "dampening": 0.5}, sgd(0)),
    ({"type": "TorchSGD", "momentum": 0.9}, sgd(0.9)),
    ({"type": "TorchSGD", "momentum": 0.9, "dampening": 0}, sgd(0.9, 0)),
    ({"type": "TorchSGD", "momentum": 0.8, "dampening": 0.25}, sgd(0.8, 0.25)),
    ({"type": "TorchSGD", "momentum": 0.8, "dampening": 0, "nesterov": True}, sgd(0.8, 0, True)),
    ({"type": "TorchNAG"}, nag),
    ({"type": "TorchAdam"}, adam),
    ({"type": "TorchAdaGrad"}, adagrad),
    ({"type": "TorchRMSProp"}, rmsprop),
    ({"type": "TorchAdaDelta"}, adadelta),
]


def rule_of(dtype: Any = np.float32, **settings: Any) -> Rule:
    start = np.random.default_rng(2).standard_normal((3, 5))
    store = ParamStore([Param("w", start.astype(dtype))], Device("cpu"), dtype)
    return make_rule(SolverParameter(**settings), store, store.device)


def advance(rule: Rule, rates: list[float], start: int = 0) -> None:
    for iteration, rate in enumerate(rates[start:], start):
        gradient = np.random.default_rng(iteration).standard_normal((3, 5))
        rule.store.params[0].diff[...] = gradient
        rule.step(rate, iteration)


@pytest.mark.parametrize(
    ("settings", "optim"), CASES, ids=lambda value: str(value) if isinstance(value, dict) else ""
)
def test_the_formulas_and_defaults_are_optims(settings: dict[str, Any], optim: Optim) -> None:
    solver = SolverParameter(
        base_lr=0.1, lr_policy="step", gamma=0.5, stepsize=3, learning_rate_decay=0.125
    )
    rate = make_schedule(solver).rate
    rates = [rate(iteration) for iteration in range(7)]
    np.testing.assert_allclose(rates[5], 0.1 * 0.5 / (1 + 5 * 0.125), rtol=1e-6)
    rule = rule_of(**settings, weight_decay=0.25)
    x, state = rule.store.params[0].data.astype(np.float64), State()
    for iteration, lr in enumerate(rates):
        g = np.random.default_rng(iteration).standard_normal((3, 5)) + 0.25 * x
        x = optim(x, g, state, lr)
    advance(rule, rates)
    np.testing.assert_allclose(rule.store.params[0].data, x, rtol=3e-5, atol=3e-6)


@pytest.mark.parametrize("settings", [case for case, _ in CASES], ids=str)
def test_a_resumed_training_has_the_same_bits(settings: dict[str, Any]) -> None:
    rates = [0.1, 0.1, 0.05, 0.05, 0.025]
    whole = rule_of(**settings, weight_decay=0.25)
    advance(whole, rates)
    first, second = (rule_of(**settings, weight_decay=0.25) for _ in range(2))
    advance(first, rates[:3])
    second.store.data[...] = first.store.data
    second.restore(first.history())
    advance(second, rates, 3)
    assert second.store.data.tobytes() == whole.store.data.tobytes()
    for ours, theirs in zip(second.history(), whole.history(), strict=True):
        assert ours.tobytes() == theirs.tobytes()


@pytest.mark.parametrize("kind", TYPES)
def test_frozen_parameters_and_those_without_gradient_stay(kind: str) -> None:
    start = np.array([1, -2, 3], np.float32)
    params = [Param("frozen", start, None, 0, 1), Param("free", start)]
    store = ParamStore(params, Device("cpu"), np.float32)
    rule = make_rule(SolverParameter(type=kind), store, store.device)
    for iteration in range(2):
        store.params[0].diff[...] = 1
        rule.step(0.1, iteration)
    np.testing.assert_array_equal(store.params[0].data, start)
    np.testing.assert_array_equal(store.params[1].data, start)


def test_the_constants_of_averages_can_be_set() -> None:
    for kind, constants in (
        ("TorchAdam", {"delta": 0.5, "momentum": 0.25, "momentum2": 0.75}),
        ("TorchAdaGrad", {"delta": 0.5}),
        ("TorchRMSProp", {"delta": 0.5, "rms_decay": 0.25}),
        ("TorchAdaDelta", {"delta": 0.5, "momentum": 0.25}),
        ("TorchNAG", {"momentum": 0.25}),
    ):
        rule = rule_of(type=kind, **constants)
        assert rule._segments[0].update.constants == constants


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"type": "TorchSGD", "momentum": 0.9, "nesterov": True},
            "nesterov needs a momentum, and dampening 0, got momentum 0.9 and dampening 0.9",
        ),
        (
            {"type": "TorchSGD", "dampening": 0, "nesterov": True},
            "nesterov needs a momentum, and dampening 0, got momentum 0 and dampening 0",
        ),
        ({"type": "TorchNAG", "momentum": 0}, "type 'TorchNAG' needs momentum above 0, got 0"),
        (
            {"type": "TorchAdaGrad", "momentum": 0.9},
            "type 'TorchAdaGrad' has no momentum, got 0.9",
        ),
        (
            {"type": "TorchRMSProp", "momentum": 0.9},
            "type 'TorchRMSProp' has no momentum, got 0.9",
        ),
        (
            {"type": "TorchAdam", "momentum2": 1},
            "type 'TorchAdam' needs momentum2 in [0, 1), got 1",
        ),
    ],
)
def test_settings_that_optim_refuses(settings: dict[str, Any], message: str) -> None:
    (finding,) = rule_findings(SolverParameter(**settings))
    assert finding.message == message
    assert finding.path == (list(settings)[-1],)
    with pytest.raises(SolverError):
        rule_of(**settings)


def test_a_negative_decay_of_the_rate_is_refused() -> None:
    solver = SolverParameter(base_lr=0.1, lr_policy="fixed", learning_rate_decay=-1)
    with pytest.raises(SolverError, match="learning_rate_decay must be at least 0"):
        make_schedule(solver)
