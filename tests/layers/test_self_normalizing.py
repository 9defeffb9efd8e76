"""SeLu and SeLuDropout."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.proto.caffe_pb2 import TEST
from protonet.testing import LayerHarness

X = np.array([[-50.0, -1, -1e-9, 0, 0.5, 3]])


def test_values() -> None:
    (y,) = LayerHarness('type: "SeLu"', [X], dtype=float).forward()
    low = 1.67326324 * 1.050700987
    expected = [-low, low * np.expm1(-1), -low * 1e-9, 0, 0.5 * 1.050700987, 3 * 1.050700987]
    np.testing.assert_allclose(y[0], expected, rtol=1e-6)
    (y,) = LayerHarness(
        'type: "SeLu" selu_param { lambda: 2 alpha: 3 }', [X], dtype=float
    ).forward()
    np.testing.assert_allclose(y[0], [-6, 6 * np.expm1(-1), -6e-9, 0, 1, 6], rtol=1e-6)


@pytest.mark.parametrize("name", ["lambda", "alpha"])
def test_settings_that_cannot_be(name: str) -> None:
    with pytest.raises(LayerError, match=f"expected {name} above 0, got 0"):
        LayerHarness(f'type: "SeLu" selu_param {{ {name}: 0 }}', [X])


def test_dropout_keeps_mean_and_variance() -> None:
    x = np.random.default_rng(0).standard_normal((400, 500))
    harness = LayerHarness('type: "SeLuDropout" selu_dropout_param { dropout_ratio: 0.3 }', [x])
    (y,) = harness.forward()
    assert abs(y.mean()) < 0.01
    assert abs(y.var() - 1) < 0.02
    alpha = -1.75809934
    a = (0.7 + alpha**2 * 0.7 * 0.3) ** -0.5
    gone = np.isclose(y, a * alpha - a * 0.3 * alpha, rtol=1e-5)
    assert abs(gone.mean() - 0.3) < 0.01
    np.testing.assert_allclose(y[~gone], (a * x - a * 0.3 * alpha)[~gone], rtol=1e-4, atol=1e-6)
    (dx,) = harness.backward([np.ones_like(x)])
    np.testing.assert_allclose(dx, np.where(gone, 0, a), rtol=1e-5)


def test_dropout_in_a_test_passes_all() -> None:
    (y,) = LayerHarness('type: "SeLuDropout"', [X], phase=TEST, dtype=float).forward()
    np.testing.assert_array_equal(y, X)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("dropout_ratio: 1", "expected 0 <= dropout_ratio < 1, got 1"),
        ("alpha: inf", "expected a finite alpha"),
    ],
)
def test_dropouts_that_cannot_be(fields: str, message: str) -> None:
    with pytest.raises(LayerError, match=message):
        LayerHarness(f'type: "SeLuDropout" selu_dropout_param {{ {fields} }}', [X])
