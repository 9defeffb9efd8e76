"""The softmax kernel against the textbook."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels import native
from protonet.kernels.softmax import Softmax, softmax, softmax_gradient
from tests.kernels.instructions import MODULES, use

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


def results(kernel: Softmax, x: np.ndarray, dy: np.ndarray, smoothing: float) -> list[np.ndarray]:
    """y, dx, and of the loss: p, the items' logarithms, dx."""
    labels = np.random.default_rng(5).integers(0, x.shape[1], size=(x.shape[0], 1, *x.shape[2:]))
    labels, valid = labels.astype(x.dtype), (labels != 1).astype(x.dtype)
    y, dx, p, back = np.full((4, *x.shape), np.nan, x.dtype)
    logs = np.full(labels.shape, np.nan, x.dtype)
    kernel.forward(x, y)
    kernel.backward(y, dy, dx)
    kernel.loss(x, labels, valid, smoothing, p, logs)
    kernel.loss_gradient(p, labels, valid, smoothing, np.array(0.3, x.dtype), back)
    found = [y, dx, p, logs.copy(), back.copy()]
    kernel.loss(x, labels, None, smoothing, p, logs)
    kernel.loss_gradient(p, labels, None, smoothing, np.array(0.3, x.dtype), back)
    return [*found, logs, back]


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("shape", [(3, 2), (5, 10), (2, 33), (4, 1000), (2, 5, 3, 4), (2, 9, 37)])
def test_the_compiled_kernels_meet_the_definition(
    shape: tuple[int, ...], smoothing: float, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(module, monkeypatch)
    tuned = Softmax.make(Device("cpu"), np.float32, shape, 1)
    assert tuned.processor == "native"
    definition = Softmax(Device("cpu"), np.float64, shape, 1)
    generator = np.random.default_rng(4)
    x = (generator.normal(size=shape) * 5).astype(np.float32).astype(np.float64)
    dy = generator.normal(size=shape)
    for found, expected in zip(
        results(tuned, x.astype(np.float32), dy.astype(np.float32), smoothing),
        results(definition, x, dy, smoothing),
        strict=True,
    ):
        np.testing.assert_allclose(found, expected, rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("shape", [(2, 20), (1, 5, 2)])
def test_extreme_scores(shape: tuple[int, ...]) -> None:
    tuned = Softmax.make(Device("cpu"), np.float32, shape, 1)
    definition = Softmax(Device("cpu"), np.float32, shape, 1)
    for value in (np.nan, np.inf, -np.inf, -3e38, 88, -95):
        x = np.zeros(shape, np.float32)
        x[0, 3] = value
        y, expected = np.empty_like(x), np.empty_like(x)
        tuned.forward(x, y)
        with np.errstate(invalid="ignore", over="ignore"):
            definition.forward(x, expected)
        np.testing.assert_allclose(y, expected, rtol=3e-6, atol=1e-44)
    x.fill(-np.inf)
    tuned.forward(x, y)
    assert np.isnan(y).all()


def test_the_number_of_threads_changes_no_bit() -> None:
    module = native.load()
    before, found = module.threads(), []
    x, dy = np.random.default_rng(4).normal(size=(2, 128, 1000)).astype(np.float32)
    kernel = Softmax.make(Device("cpu"), np.float32, x.shape, 1)
    for threads in (1, 2, 3, 5):
        module.set_threads(threads)
        found.append(results(kernel, x, dy, 0.0))
    module.set_threads(before)
    for others in found[1:]:
        for one, other in zip(found[0], others, strict=True):
            np.testing.assert_array_equal(one, other)
