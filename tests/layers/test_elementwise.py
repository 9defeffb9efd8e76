"""Elementwise beside its formulas."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness

X = np.array([[-2.5, -0.5, -0.1], [0.0, 0.3, 4.0]])
Function = Callable[[np.ndarray], np.ndarray]


def made(fields: str, x: object = X) -> LayerHarness:
    return LayerHarness(f'type: "Elementwise" elementwise_param {{ {fields} }}', [x], dtype=float)


@pytest.mark.parametrize(
    ("fields", "function", "slope"),
    [
        ("", lambda x: x / (1 + abs(x)), lambda x: (1 + abs(x)) ** -2.0),
        (
            "operation: SOFTPLUS beta: 2",
            lambda x: np.log1p(np.exp(2 * x)) / 2,
            lambda x: 1 / (1 + np.exp(-2 * x)),
        ),
        (
            "operation: LOG_SIGMOID",
            lambda x: -np.log1p(np.exp(-x)),
            lambda x: 1 / (1 + np.exp(x)),
        ),
        ("operation: HARD_SHRINK", lambda x: x * (abs(x) > 0.5), lambda x: abs(x) > 0.5),
        (
            "operation: SOFT_SHRINK lambda: 0.3",
            lambda x: np.sign(x) * np.maximum(abs(x) - np.float32(0.3), 0),
            lambda x: abs(x) > 0.3,
        ),
        (
            "operation: THRESHOLD threshold: -0.2 value: 7",
            lambda x: np.where(x > -0.2, x, 7),
            lambda x: x > -0.2,
        ),
    ],
)
def test_values_and_slopes(fields: str, function: Function, slope: Function) -> None:
    harness = made(fields)
    np.testing.assert_allclose(harness.forward()[0], function(X))
    dy = np.arange(1.0, 7).reshape(X.shape)
    np.testing.assert_allclose(harness.backward([dy])[0], dy * slope(X))


def test_the_root_of_0_has_no_slope() -> None:
    harness = made("operation: SQRT", [0.0, 4.0])
    assert harness.forward()[0].tolist() == [0, 2]
    dx = harness.backward([[3.0, 3.0]])[0]
    assert dx is not None
    assert dx.tolist() == [0, 0.75]


@pytest.mark.parametrize("operation", ["SOFTPLUS", "LOG_SIGMOID", "SOFTSIGN"])
def test_large_values_do_not_overflow(operation: str) -> None:
    harness = made(f"operation: {operation}", [-1e4, 1e4])
    expected = {"SOFTPLUS": [0, 1e4], "LOG_SIGMOID": [-1e4, 0], "SOFTSIGN": [-1, 1]}[operation]
    np.testing.assert_allclose(harness.forward()[0], expected, rtol=1e-3)
    assert np.isfinite(harness.backward([[1.0, 1.0]])[0]).all()


@pytest.mark.parametrize(
    ("fields", "message", "name"),
    [
        ("beta: 2", "SOFTSIGN does not read beta", "beta"),
        ("operation: SQRT threshold: 2", "SQRT does not read threshold", "threshold"),
        ("operation: SOFTPLUS beta: 0", "expected a beta other than 0", "beta"),
        (
            "operation: HARD_SHRINK lambda: -1",
            "expected lambda of 0 or more, got -1",
            "lambda",
        ),
    ],
)
def test_mistakes(fields: str, message: str, name: str) -> None:
    with pytest.raises(LayerError) as caught:
        made(fields)
    assert (str(caught.value), caught.value.path) == (message, ("elementwise_param", name))
