"""What all rules share: clipping, iter_size, regularisation, history, and what is refused."""

from __future__ import annotations

import time
import tracemalloc
from typing import Any

import numpy as np
import pytest

from protonet.blob import Param, ParamStore
from protonet.device import Device
from protonet.errors import FormatError, NetworkError
from protonet.proto.caffe_pb2 import SolverParameter
from protonet.solvers.mistakes import SolverError
from protonet.solvers.update_rule import Rule, make_rule, register_rule, rule_findings, rule_names

CPU = Device("cpu")


def store_of(
    *shapes: tuple[int, ...], multipliers: tuple[tuple[float, float], ...] = ()
) -> ParamStore:
    rng = np.random.default_rng(5)
    pairs = multipliers if multipliers else ((1.0, 1.0),) * len(shapes)
    params = [
        Param(f"p{index}", rng.normal(size=shape), None, *pair)
        for index, (shape, pair) in enumerate(zip(shapes, pairs, strict=True))
    ]
    return ParamStore(params, CPU, np.float64)


def step_once(
    store: ParamStore, gradients: list[np.ndarray], rate: float = 0.1, **settings: Any
) -> list[np.ndarray]:
    """How far plain SGD moves each parameter."""
    before = [param.data.copy() for param in store.params]
    for param, gradient in zip(store.params, gradients, strict=True):
        param.diff[...] = gradient
    make_rule(SolverParameter(**settings), store, CPU).step(rate, 0)
    return [a - param.data for a, param in zip(before, store.params, strict=True)]


def test_every_type_of_caffe_is_known() -> None:
    assert rule_names() == [
        "AdaDelta", "AdaGrad", "Adam", "AdamW", "Nesterov", "RMSProp", "SGD",
        "TorchAdaDelta", "TorchAdaGrad", "TorchAdam", "TorchNAG", "TorchRMSProp", "TorchSGD",
    ]  # fmt: skip


def test_multipliers_of_rate_and_decay() -> None:
    store = store_of((2, 3), (5,), (7,), multipliers=((1, 1), (2, 0), (1, 1)))
    weights = [param.data.copy() for param in store.params]
    gradients = [np.full((2, 3), 4.0), np.full(5, 5.0), np.full(7, 6.0)]
    moved = step_once(store, gradients, weight_decay=0.5)
    np.testing.assert_allclose(moved[0], 0.1 * (4 + 0.5 * weights[0]))
    np.testing.assert_allclose(moved[1], np.full(5, 0.2 * 5))
    np.testing.assert_allclose(moved[2], 0.1 * (6 + 0.5 * weights[2]))


def test_l1_decays_by_the_sign() -> None:
    store = store_of((2, 3))
    weights = store.params[0].data.copy()
    (moved,) = step_once(store, [np.ones((2, 3))], weight_decay=0.25, regularization_type="L1")
    np.testing.assert_allclose(moved, 0.1 * (1 + 0.25 * np.sign(weights)))


def test_clipping_sees_the_sums_of_all_parameters_without_decay() -> None:
    gradients = [np.full((2, 3), 3.0), np.full(5, -4.0)]
    norm = np.sqrt(6 * 9 + 5 * 16)
    store = store_of((2, 3), (5,))
    weights = [param.data.copy() for param in store.params]
    moved = step_once(store, gradients, clip_gradients=2, iter_size=4, weight_decay=0.5)
    for step, gradient, weight in zip(moved, gradients, weights, strict=True):
        np.testing.assert_allclose(step, 0.1 * (gradient * 2 / norm / 4 + 0.5 * weight), rtol=1e-6)


@pytest.mark.parametrize("limit", [5.0, 100.0])
def test_short_gradients_are_not_clipped(limit: float) -> None:
    (moved,) = step_once(store_of((2,)), [np.array([3.0, -4.0])], clip_gradients=limit)
    np.testing.assert_allclose(moved, [0.3, -0.4], rtol=1e-12)


@pytest.mark.parametrize("gradient", [0.0, 3.0])
def test_a_limit_of_zero_stops_all(gradient: float) -> None:
    (moved,) = step_once(store_of((2, 3)), [np.full((2, 3), gradient)], clip_gradients=0)
    np.testing.assert_array_equal(moved, np.zeros((2, 3)))


def test_history_is_in_the_order_of_the_net_and_comes_back() -> None:
    solver = SolverParameter(type="Adam", momentum=0.9)
    store = store_of((2, 3), (5,), (7,), multipliers=((1, 1), (2, 0), (1, 1)))
    rule = make_rule(solver, store, CPU)
    for value, param in enumerate(store.params, 1):
        param.diff.fill(value)
    rule.step(0.1, 0)
    history = rule.history()
    assert [array.shape for array in history] == [(2, 3), (5,), (7,)] * 2
    assert [round(array.flat[0], 6) for array in history[:3]] == [0.1, 0.2, 0.3]
    other = make_rule(solver, store, CPU)
    other.restore(history)
    for found, expected in zip(other.history(), history, strict=True):
        np.testing.assert_array_equal(found, expected)
    rule.step(0.1, 1)
    assert history[0].flat[0] != rule.history()[0].flat[0], "history() must be a copy"


def test_history_of_old_files_has_four_axes() -> None:
    rule = make_rule(SolverParameter(), store_of((2, 3)), CPU)
    rule.restore([np.arange(6, dtype=np.float32).reshape(1, 1, 2, 3)])
    np.testing.assert_array_equal(rule.history()[0], [[0, 1, 2], [3, 4, 5]])


def test_history_of_another_solver_type_or_net() -> None:
    rule = make_rule(SolverParameter(), store_of((2, 3), (5,)), CPU)
    good = [np.ones((2, 3)), np.ones(5)]
    with pytest.raises(FormatError) as caught:
        rule.restore(good * 2)
    assert str(caught.value) == (
        "the solver state: has 4 history blob(s), expected 2: "
        "1 for each of the 2 parameter(s) with solver type SGD"
    )
    with pytest.raises(FormatError) as caught:
        rule.restore([good[0], np.ones(7)])
    assert str(caught.value) == (
        "the solver state: history blob 1, of parameter 'p1', has shape (7,), "
        "expected (5,): it is of another net"
    )
    assert not any(array.any() for array in rule.history()), "nothing must be half restored"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"type": "AdaGard"}, "unknown type 'AdaGard'; did you mean 'AdaGrad'?"),
        ({"iter_size": 0}, "iter_size must be at least 1, got 0"),
        (
            {"weight_decay": 0.1, "regularization_type": "L3"},
            "unknown regularization_type 'L3'; expected L1 or L2",
        ),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(NetworkError) as caught:
        make_rule(SolverParameter(**settings), store_of((2, 3)), CPU)
    (mistake,) = caught.value.mistakes
    assert mistake.message == f"solver: {message}"
    assert isinstance(caught.value, SolverError)
    assert caught.value.fields == ((list(settings)[-1],),)


def test_all_mistakes_at_once() -> None:
    solver = SolverParameter(type="Adam", momentum=2, iter_size=-1, regularization_type="l2")
    assert [finding.path for finding in rule_findings(solver)] == [
        ("regularization_type",),
        ("iter_size",),
        ("momentum",),
    ]


def test_a_type_is_registered_once() -> None:
    with pytest.raises(ValueError, match="solver type 'SGD' is registered twice"):
        register_rule("SGD")(Rule)


@pytest.mark.parametrize("kind", rule_names())
def test_a_step_allocates_nothing(kind: str) -> None:
    store = store_of((100, 1000), (10,), multipliers=((1, 1), (2, 0)))
    solver = SolverParameter(type=kind, weight_decay=0.1, clip_gradients=1, iter_size=2)
    rule = make_rule(solver, store, CPU)
    rule.step(0.1, 0)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    rule.step(0.1, 1)
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    assert peak < 100_000, f"a step of {store.data.nbytes} bytes made arrays of {peak} bytes"


def test_a_step_of_a_small_net_is_quick() -> None:
    store = ParamStore([Param("w", np.ones((2, 2500)))], CPU, np.float32)
    solver = SolverParameter(momentum=0.9, weight_decay=0.0005)
    rule = make_rule(solver, store, CPU)
    best = min(_seconds(rule) for _ in range(20))
    # About 5 microseconds on an idle core; the bound leaves room for a busy machine.
    assert best < 100 * 40e-6


def _seconds(rule: Rule) -> float:
    start = time.perf_counter()
    for iteration in range(100):
        rule.step(1e-6, iteration)
    return time.perf_counter() - start


@pytest.mark.gpu
@pytest.mark.parametrize("kind", rule_names())
def test_a_gpu_computes_the_same(kind: str) -> None:
    gpu = Device("cuda:0")
    solver = SolverParameter(type=kind, weight_decay=0.1, clip_gradients=1, iter_size=2)
    rng = np.random.default_rng(3)
    values = [rng.normal(size=shape).astype(np.float32) for shape in ((2, 3), (5,))]
    gradients = [rng.normal(size=value.shape).astype(np.float32) for value in values]
    moved = {}
    for device in (CPU, gpu):
        params = []
        for index, value in enumerate(values):
            data = device.empty(value.shape)
            device.put(value, data)
            params.append(Param(f"p{index}", data, None, 1 + index))
        store = ParamStore(params, device, np.float32)
        rule = make_rule(solver, store, device)
        for iteration in range(3):
            for param, gradient in zip(store.params, gradients, strict=True):
                device.put(gradient, param.diff)
            rule.step(0.1, iteration)
        rule.restore(rule.history())
        moved[device.name] = [np.array(device.get(param.data)) for param in store.params]
    for found, expected in zip(moved["cuda:0"], moved["cpu"], strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"larc": True, "type": "Adam"}, "larc works with type SGD and Nesterov, not with Adam"),
        ({"momentum_policy": "poly"}, "momentum_policy 'poly' is not supported; only fixed is"),
        (
            {"weight_decay_policy": "poly"},
            "weight_decay_policy 'poly' is not supported; only fixed is",
        ),
    ],
)
def test_settings_of_forks_that_would_be_lost_are_refused(
    settings: dict[str, Any], message: str
) -> None:
    (finding,) = rule_findings(SolverParameter(**settings))
    assert (finding.path, finding.message) == ((next(iter(settings)),), message)
