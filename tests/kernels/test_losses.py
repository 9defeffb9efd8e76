"""Losses over single elements: the compiled versions beside their definitions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.kernels.losses import (
    AbsoluteDistance,
    Contrastive,
    GradientScale,
    Hinge,
    SigmoidCrossEntropy,
    SmoothL1,
    SquaredDistance,
)
from tests.kernels.instructions import CPU, MODULES, both, check_threads, use


def distances(kernel: SquaredDistance, dtype: Any, size: int) -> list[np.ndarray]:
    a, b = np.random.default_rng(3).normal(size=(2, size)).astype(dtype)
    difference, loss = np.full(size, np.nan, dtype), np.array(np.nan, dtype)
    kernel.forward(a, b, difference, loss, 0.25)
    return [loss, difference]


def spreads(kernel: GradientScale, dtype: Any, size: int) -> list[np.ndarray]:
    slope = np.random.default_rng(3).normal(size=size).astype(dtype)
    dx = np.full(size, np.nan, dtype)
    kernel.scale(slope, np.array(3, dtype), -0.5, dx)
    return [dx]


def entropies(kernel: SigmoidCrossEntropy, dtype: Any, size: int) -> list[np.ndarray]:
    generator = np.random.default_rng(3)
    x, t = (6 * generator.normal(size=size)).astype(dtype), generator.uniform(-1.9, 1.9, size)
    t = t.astype(np.float32).astype(dtype)
    loss, counted, dx = (
        np.array(np.nan, dtype),
        np.array(np.nan, dtype),
        np.full(size, np.nan, dtype),
    )
    kernel.forward(x, t, loss, counted)
    kernel.backward(x, t, np.array(3, dtype), dx)
    return [loss, counted, dx]


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("size", [1, 37, 1024, 100_003])
def test_every_instruction_set_meets_the_definition(
    size: int, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(module, monkeypatch)
    cases: list[tuple[Any, Any, tuple[Any, ...]]] = [
        (distances, SquaredDistance, (size,)),
        (spreads, GradientScale, (size,)),
        (entropies, SigmoidCrossEntropy, (size, None)),
        (entropies, SigmoidCrossEntropy, (size, 0)),
        (entropies, SigmoidCrossEntropy, (size, -1)),
    ]
    for passes, kind, arguments in cases:
        tuned, definition = both(kind, *arguments)
        for found, expected in zip(
            passes(tuned, np.float32, size), passes(definition, np.float64, size), strict=True
        ):
            np.testing.assert_allclose(
                found, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max()
            )


def check_slope(kernel: Any, x: np.ndarray, *others: Any) -> None:
    """The slope of a loss is its difference, for a small step of x."""
    slope, ahead, behind = np.empty(x.size), np.empty(()), np.empty(())
    step = 1e-6 * np.random.default_rng(4).normal(size=x.shape)
    kernel.forward(x + step, *others, slope, ahead, 1.0)
    kernel.forward(x - step, *others, slope, behind, 1.0)
    kernel.forward(x, *others, slope, np.empty(()), 1.0)
    times = 2 if isinstance(kernel, Contrastive) else 1
    np.testing.assert_allclose(ahead - behind, 2 * times * (slope * step.ravel()).sum(), rtol=1e-3)


def test_slopes_are_those_of_the_losses() -> None:
    generator = np.random.default_rng(5)
    a, b, u, v = generator.normal(size=(4, 7, 5))
    check_slope(AbsoluteDistance.make(CPU, np.float64, 35), a, b)
    check_slope(SmoothL1.make(CPU, np.float64, 35, 2.0), a, b, u, v)
    check_slope(SmoothL1.make(CPU, np.float64, 35, 0.5), a, b, None, None)
    alike, labels = np.arange(7.0) % 2, np.arange(7.0) % 5
    for flag in (False, True):
        check_slope(Contrastive.make(CPU, np.float64, 7, 5, 6.0, flag), a, b, alike)
        check_slope(Hinge.make(CPU, np.float64, 7, 5, flag), a, labels)


def test_scores_far_out() -> None:
    x = np.array([1e4, -1e4, np.nan, -0.0], np.float32)
    t, loss, counted = np.zeros_like(x), np.empty((), np.float32), np.empty((), np.float32)
    one = SigmoidCrossEntropy.make(CPU, np.float32, 1, None)
    for place, expected in enumerate([1e4, 0, np.nan, np.log(2)]):
        one.forward(x[place : place + 1], t[:1], loss, counted)
        np.testing.assert_allclose(loss, expected, rtol=1e-6)
    dx, weight = np.empty_like(x), np.ones((), np.float32)
    SigmoidCrossEntropy.make(CPU, np.float32, 4, None).backward(x, t, weight, dx)
    np.testing.assert_allclose(dx, [1, 0, np.nan, 0.5])


def test_the_number_of_threads_changes_no_bit() -> None:
    size = 200_003
    distance = SquaredDistance.make(CPU, np.float32, size)
    entropy = SigmoidCrossEntropy.make(CPU, np.float32, size, 0)
    check_threads(
        lambda: distances(distance, np.float32, size) + entropies(entropy, np.float32, size)
    )
