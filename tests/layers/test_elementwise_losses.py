"""ElementwiseLoss beside its formulas, and where they have corners."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness

RANDOM = np.random.default_rng(3)
X = RANDOM.normal(size=(4, 3))
SIGNS = np.array([[1, -1, 1], [-1, -1, 1], [1, 1, -1], [-1, 1, 1]], float)
P = RANDOM.uniform(0.05, 0.95, (4, 3))
ZEROES = np.where(SIGNS > 0, P, 0.0)


def harness(operation: str, x: object, t: object, fields: str = "") -> LayerHarness:
    text = f'type: "ElementwiseLoss" elementwise_loss_param {{ operation: {operation} {fields} }}'
    return LayerHarness(text, [x, t], dtype=float)


def log_sum(x: np.ndarray) -> np.ndarray:
    return np.log(1 + np.exp(x))


FORMULAS: list[tuple[str, np.ndarray, np.ndarray, Callable[..., np.ndarray]]] = [
    ("SQUARE", X, P, lambda x, t: (x - t) ** 2),
    ("ABSOLUTE", X, P, lambda x, t: np.abs(x - t)),
    ("SMOOTH_L1", X, 3 * P,
     lambda x, t: np.where(np.abs(x - t) < 1, (x - t) ** 2 / 2, np.abs(x - t) - 0.5)),
    ("CROSS_ENTROPY", P, P[::-1], lambda x, t: -t * np.log(x) - (1 - t) * np.log(1 - x)),
    ("SIGMOID_CROSS_ENTROPY", X, P, lambda x, t: log_sum(x) - x * t),
    ("KL_DIVERGENCE", X, ZEROES, lambda x, t: t * (np.log(np.where(t > 0, t, 1)) - x)),
    ("MARGIN", X, SIGNS, lambda x, t: np.maximum(0, 1 - x * t)),
    ("RANKING", X, SIGNS, lambda x, t: np.maximum(0, 1 - x * t)),
    ("SOFT_MARGIN", X, SIGNS, lambda x, t: log_sum(-x * t)),
    ("HINGE_EMBEDDING", X, SIGNS, lambda x, t: np.where(t == 1, x, np.maximum(0, 1 - x))),
    ("COSINE_EMBEDDING", P, SIGNS, lambda x, t: np.where(t == 1, 1 - x, np.maximum(0, x - 1))),
]  # fmt: skip


@pytest.mark.parametrize(("operation", "x", "t", "formula"), FORMULAS, ids=[f[0] for f in FORMULAS])
def test_the_formula_and_its_slope(
    operation: str, x: np.ndarray, t: np.ndarray, formula: Callable[..., np.ndarray]
) -> None:
    loss = harness(operation, x, t)
    assert loss.forward()[0] == pytest.approx(formula(x, t).mean(), rel=1e-9)
    h = 1e-6
    slope = (formula(x + h, t) - formula(x - h, t)) / (2 * h)
    dx = loss.backward([3.0])[0]
    np.testing.assert_allclose(dx, 3 * slope / x.size, atol=1e-8)


@pytest.mark.parametrize(
    ("operation", "margin", "x", "t", "loss", "slope"),
    [
        ("ABSOLUTE", 1, 2, 2, 0, 1),
        ("SMOOTH_L1", 1, 3, 2, 0.5, 1),
        ("CROSS_ENTROPY", 1, 1, 1, 0, 0),
        ("CROSS_ENTROPY", 1, 0, 1, 27.6310211, -1e12),
        ("KL_DIVERGENCE", 1, -9, -1, 0, 0),
        ("MARGIN", 0.5, 0.5, 1, 0, 0),
        ("RANKING", 0.5, 0.5, 1, 0, -1),
        ("RANKING", 0.5, 0.6, 1, 0, 0),
        ("SOFT_MARGIN", 1, -800, 1, 800, -1),
        ("HINGE_EMBEDDING", 0.5, 0.7, -1, 0, 0),
        ("HINGE_EMBEDDING", 0.5, 0.2, -1, 0.3, -1),
        ("HINGE_EMBEDDING", 0.5, 0.5, -1, 0, -1),
        ("HINGE_EMBEDDING", 0.5, 0.2, 0, 0.5, 0),
        ("COSINE_EMBEDDING", 0.3, 0.5, -1, 0.2, 1),
        ("COSINE_EMBEDDING", 0.3, 0.2, -1, 0, 0),
        ("COSINE_EMBEDDING", 0.3, 1, 1, 0, 0),
        ("COSINE_EMBEDDING", 0.3, 0.4, 0, 0.4, 1),
        ("COSINE_EMBEDDING", 0.3, -0.4, 0, -0.4, 0),
    ],
)
def test_corners(
    operation: str, margin: float, x: float, t: float, loss: float, slope: float
) -> None:
    found = harness(operation, [x], [t], f"margin: {margin}")
    assert found.forward()[0] == pytest.approx(loss, abs=1e-6)
    assert found.backward([1.0])[0] == pytest.approx(slope, rel=1e-9, abs=1e-6)


@pytest.mark.parametrize(
    ("mode", "divisor"), [("FULL", 12), ("VALID", 12), ("BATCH_SIZE", 4), ("NONE", 1)]
)
def test_divisors(mode: str, divisor: int) -> None:
    text = f'type: "ElementwiseLoss" loss_param {{ normalization: {mode} }}'
    loss = LayerHarness(text, [X, P], dtype=float)
    assert loss.forward()[0] == pytest.approx(((X - P) ** 2).sum() / divisor)
    np.testing.assert_allclose(loss.backward([1.0])[0], 2 * (X - P) / divisor)


def test_a_weight_for_each_value_of_an_item() -> None:
    loss = harness("SQUARE", X, P.reshape(12), "weight: 1 weight: 0 weight: 2.5")
    weights = np.array([1, 0, 2.5])
    assert loss.forward()[0] == pytest.approx((weights * (X - P) ** 2).mean())
    np.testing.assert_allclose(loss.backward([1.0])[0], weights * 2 * (X - P) / 12)


@pytest.mark.parametrize("value", [-0.1, 1.5])
def test_cross_entropy_is_of_probabilities(value: float) -> None:
    loss = harness("CROSS_ENTROPY", [0.5, value], [1, 0])
    with pytest.raises(LayerError, match=f"probabilities from 0 to 1 in '.*', got {value:g}"):
        loss.forward()


@pytest.mark.parametrize(
    ("shapes", "fields", "message"),
    [
        ([(4, 3), (4, 2)], "", "expected a target for each value of"),
        ([(4, 3), (4, 3)], "weight: 1", r"a weight for each value of the last axis of .*, got 1"),
    ],
)
def test_what_does_not_fit(shapes: list[tuple[int, ...]], fields: str, message: str) -> None:
    with pytest.raises(LayerError, match=message):
        harness("SQUARE", *(np.zeros(shape) for shape in shapes), fields)
