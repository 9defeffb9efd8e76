"""The softmax kernel against the textbook."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.kernels.softmax import softmax, softmax_gradient

X = np.random.default_rng(3).standard_normal((2, 3, 5))


def textbook(x: np.ndarray, axis: int) -> np.ndarray:
    return np.exp(x) / np.exp(x).sum(axis=axis, keepdims=True)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("in_place", [False, True])
def test_values_and_gradient(axis: int, in_place: bool) -> None:
    x = X.copy()
    y = x if in_place else np.empty_like(x)
    reduced = np.empty_like(x.max(axis=axis, keepdims=True))
    softmax(np, x, axis, y, reduced)
    np.testing.assert_allclose(y, textbook(X, axis))

    dy = np.random.default_rng(4).standard_normal(X.shape)
    jacobian_product = y * dy - y * (y * dy).sum(axis=axis, keepdims=True)
    dx = dy if in_place else np.empty_like(dy)
    softmax_gradient(np, y, dy, axis, dx, np.empty_like(y), reduced)
    np.testing.assert_allclose(dx, jacobian_product)


def test_infinitely_unlikely_classes_get_zero() -> None:
    x = np.array([[-np.inf, 0.0, 0.0]])
    softmax(np, x, 1, x, np.empty((1, 1)))
    assert x.tolist() == [[0.0, 0.5, 0.5]]
