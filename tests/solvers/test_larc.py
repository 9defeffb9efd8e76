"""Layer-wise rates, beside the same arithmetic written out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.blob import Param, ParamStore
from protonet.device import Device
from protonet.proto.caffe_pb2 import SolverParameter
from protonet.solvers.larc import Larc, larc_findings
from protonet.solvers.update_rule import make_rule

CPU = Device("cpu")
SHAPES = ((2, 3), (5,), (7,))
MULTIPLIERS = ((1.0, 1.0), (2.0, 0.0), (1.0, 1.0))


def moves(frozen: bool = False, **settings: Any) -> tuple[list[np.ndarray], ...]:
    """The weights, their gradients and how far one step moves them."""
    rng = np.random.default_rng(3)
    pairs = [(0.0, 1.0)] * 3 if frozen else MULTIPLIERS
    params = [
        Param(f"p{i}", rng.normal(size=shape), None, *pair)
        for i, (shape, pair) in enumerate(zip(SHAPES, pairs, strict=True))
    ]
    store = ParamStore(params, CPU, np.float64)
    weights = [param.data.copy() for param in store.params]
    gradients = [rng.normal(size=shape) for shape in SHAPES]
    for param, gradient in zip(store.params, gradients, strict=True):
        param.diff[...] = gradient
    rule = make_rule(SolverParameter(**{"larc": True, **settings}), store, CPU)
    assert not rule.capturable
    rule.step(0.1, 0)
    moved = [before - param.data for before, param in zip(weights, store.params, strict=True)]
    return weights, gradients, moved


@pytest.mark.parametrize("policy", ["scale", "clip"])
def test_each_parameter_has_a_rate_of_its_own(policy: str) -> None:
    settings = {"larc_policy": policy, "larc_eta": 0.05, "weight_decay": 0.5, "iter_size": 2}
    weights, gradients, moved = moves(**settings)
    for w, g, u, (_, decay) in zip(weights, gradients, moved, MULTIPLIERS, strict=True):
        local = 0.05 * np.sqrt((w**2).sum()) / np.sqrt(((g / 2) ** 2).sum())
        rate = 0.1 * local if policy == "scale" else min(0.1, local)
        np.testing.assert_allclose(u, rate * (g / 2 + 0.5 * decay * w), rtol=1e-6)


def test_parameters_that_stand_still_stay() -> None:
    for moved in moves(frozen=True)[2]:
        np.testing.assert_array_equal(moved, 0)


@pytest.mark.parametrize(("w", "g"), [(0.0, 2.0), (2.0, 0.0), (2.0, np.nan)])
def test_where_a_size_is_nothing_the_rate_is_the_solvers(w: float, g: float) -> None:
    larc = Larc(0.25, clip=False)
    assert larc.rate(0.5, 2.0, np.full(3, w), np.full(3, g), 1.0) == 0.5


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"larc_policy": "auto"}, "unknown larc_policy 'auto'; expected scale or clip"),
        ({"larc_eta": 0.0}, "larc_eta must be above 0 and finite, got 0"),
        ({"type": "Adam"}, "larc works with type SGD and Nesterov, not with Adam"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], message: str) -> None:
    (finding,) = larc_findings(SolverParameter(larc=True, **settings))
    assert finding.message == message
    assert list(larc_findings(SolverParameter(**settings))) == []


def test_lars_of_intels_fork_counts_the_weight_decay() -> None:
    settings = {"larc": False, "local_lr_auto": True, "local_gw_ratio": 0.05, "weight_decay": 0.5}
    weights, gradients, moved = moves(**settings, iter_size=2)
    for w, g, u, (_, decay) in zip(weights, gradients, moved, MULTIPLIERS, strict=True):
        size, slope = np.sqrt((w**2).sum()), np.sqrt(((g / 2) ** 2).sum())
        local = 0.05 * size / (slope + 0.5 * size)
        np.testing.assert_allclose(u, 0.1 * local * (g / 2 + 0.5 * decay * w), rtol=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"larc": True}, "local_lr_auto and larc cannot go together"),
        ({"type": "Nesterov"}, "local_lr_auto works with type SGD, not with Nesterov"),
        ({"local_gw_ratio": -1.0}, "local_gw_ratio must be above 0 and finite, got -1"),
    ],
)
def test_settings_of_lars_that_cannot_be(settings: dict[str, Any], message: str) -> None:
    (finding,) = larc_findings(SolverParameter(local_lr_auto=True, **settings))
    assert finding.message == message
