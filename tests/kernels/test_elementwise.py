"""Elementwise kernels against the textbook."""

from __future__ import annotations

import numpy as np

from protonet.kernels.elementwise import (
    sigmoid,
    sigmoid_gradient,
    softplus,
    softplus_gradient,
    tanh_gradient,
)

X = np.linspace(-6, 6, 35).reshape(5, 7)


def test_sigmoid_in_place_or_not() -> None:
    y = np.empty_like(X)
    sigmoid(np, X, y)
    np.testing.assert_allclose(y, 1 / (1 + np.exp(-X)), rtol=1e-12)
    x = X.copy()
    sigmoid(np, x, x)
    np.testing.assert_array_equal(x, y)


def test_softplus_in_place_or_not() -> None:
    y = np.empty_like(X)
    softplus(np, X, y, np.empty_like(X))
    np.testing.assert_allclose(y, np.log1p(np.exp(X)), rtol=1e-12)
    x = X.copy()
    softplus(np, x, x, np.empty_like(X))
    np.testing.assert_array_equal(x, y)


def test_gradients_in_place_or_not() -> None:
    dy = np.cos(X)
    y = 1 / (1 + np.exp(-X))
    for kernel, value, slope in (
        (sigmoid_gradient, y, y * (1 - y)),
        (softplus_gradient, np.log1p(np.exp(X)), y),
        (tanh_gradient, np.tanh(X), 1 / np.cosh(X) ** 2),
    ):
        dx, alias = np.empty_like(dy), dy.copy()
        kernel(np, value, dy, dx, np.empty_like(dy))
        kernel(np, value, alias, alias, np.empty_like(dy))
        np.testing.assert_allclose(dx, dy * slope, rtol=1e-9, atol=1e-12)
        np.testing.assert_array_equal(alias, dx)
