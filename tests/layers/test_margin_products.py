"""MarginInnerProduct, compared with a loop over items and angles."""

from __future__ import annotations

import math

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness

TYPES = ["SINGLE", "DOUBLE", "TRIPLE", "QUADRUPLE"]
RNG = np.random.default_rng(6)
X, W = RNG.standard_normal((40, 3, 2)), RNG.standard_normal((5, 6))
LABELS = RNG.integers(0, 5, 40).astype(float)


def layer(fields: str, x: np.ndarray = X, tops: str = 'top: "y"') -> LayerHarness:
    text = (
        f'type: "MarginInnerProduct" {tops} margin_inner_product_param {{ num_output: 5 {fields} }}'
    )
    harness = LayerHarness(text, [x, LABELS], dtype=float)
    harness.set_params([W])
    return harness


def psi(cosine: float, m: int) -> float:
    angle = math.acos(cosine)
    k = min(int(angle * m / math.pi), m - 1)
    return float((-1) ** k * math.cos(m * angle) - 2 * k)


def unit() -> np.ndarray:
    rows: np.ndarray = W / np.linalg.norm(W, axis=1, keepdims=True)
    return rows


@pytest.mark.parametrize("kind", TYPES)
def test_scores(kind: str) -> None:
    harness, rows = layer(f"type: {kind} base: 0.5"), unit()
    (y,) = harness.forward()
    x = X.reshape(40, 6)
    expected = x @ rows.T
    for item, label in enumerate(LABELS.astype(int)):
        length, score = np.linalg.norm(x[item]), expected[item, label]
        margin = length * psi(score / length, TYPES.index(kind) + 1)
        expected[item, label] = (margin + 0.5 * score) / 1.5
    np.testing.assert_allclose(y, expected)
    np.testing.assert_allclose(harness.layer.params[0].data, rows)


@pytest.mark.parametrize("kind", TYPES[1:])
def test_gradients_are_those_of_the_fork(kind: str) -> None:
    """By differences of psi: its direction has length 1, and W's gradient ignores the margin."""
    harness, rows, m = layer(f"type: {kind} base: 0.5"), unit(), TYPES.index(kind) + 1
    harness.forward()
    dy = np.random.default_rng(2).standard_normal((40, 5))
    harness.param_diffs[0].fill(1)
    dx = harness.backward([dy])[0]
    assert dx is not None
    x = X.reshape(40, 6)
    np.testing.assert_allclose(harness.param_diffs[0], 1 + dy.T @ x)
    expected = dy @ rows
    for item, label in enumerate(LABELS.astype(int)):
        length = np.linalg.norm(x[item])
        cosine = x[item] @ rows[label] / length
        slope = (psi(cosine + 1e-6, m) - psi(cosine - 1e-6, m)) / 2e-6
        u, v = slope, (psi(cosine, m) - slope * cosine) / length
        size = math.hypot(u, v)
        own = (u / size * rows[label] + v / size * x[item] + 0.5 * rows[label]) / 1.5
        expected[item] += dy[item, label] * (own - rows[label])
    np.testing.assert_allclose(dx.reshape(40, 6), expected, rtol=1e-4, atol=1e-6)


def test_a_single_angle_has_the_gradient_of_a_product() -> None:
    harness = layer("type: SINGLE")
    harness.forward()
    dy = np.random.default_rng(2).standard_normal((40, 5))
    dx = harness.backward([dy])[0]
    assert dx is not None
    np.testing.assert_allclose(dx.reshape(40, 6), dy @ unit())


def test_lambda_falls_with_each_pass() -> None:
    fields = "type: DOUBLE base: 100 gamma: 2 power: 1.5 lambda_min: 3 iteration: 4"
    harness = layer(fields, tops='top: "y" top: "lambda"')
    found = [harness.forward()[1].item() for _ in range(3)]
    np.testing.assert_allclose(found, [max(100 * (1 + 2 * i) ** -1.5, 3) for i in (5, 6, 7)])
    state = harness.layer.state()
    other = layer(fields, tops='top: "y" top: "lambda"')
    other.layer.restore(state)
    np.testing.assert_allclose(other.forward()[1].item(), max(100 * 17**-1.5, 3))


def test_an_item_of_zeros_has_no_angle() -> None:
    x = X.copy()
    x[3] = 0
    harness = layer("type: QUADRUPLE", x)
    assert np.isfinite(harness.forward()[0]).all()
    dx = harness.backward([np.ones((40, 5))])[0]
    assert dx is not None
    assert np.isfinite(dx).all()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("axis: 5", "axis 5 is out of range"),
        ("axis: 2", "expected one label in 'x1' for each of 120 items, got 40"),
        ("base: -1", "expected base of 0 or more, got -1"),
        ("gamma: -1", "expected gamma of 0 or more, got -1"),
        ("lambda_min: -1", "expected lambda_min of 0 or more, got -1"),
    ],
)
def test_products_that_cannot_be(fields: str, message: str) -> None:
    with pytest.raises(LayerError, match=message):
        layer(fields)


def test_scores_and_labels_are_needed() -> None:
    with pytest.raises(LayerError, match="margin_inner_product_param needs num_output above 0"):
        LayerHarness('type: "MarginInnerProduct"', [X, LABELS])
    harness = layer("")
    harness.inputs[1][0] = 5
    with pytest.raises(LayerError, match="label 5 in 'x1' is not one of the 5 classes 0 to 4"):
        harness.forward()
