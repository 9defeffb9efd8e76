"""Batch normalization with what follows it: the compiled version beside the definition."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from protonet.kernels.normalization import BatchNormScale, RunningStatistics
from tests.kernels.instructions import CPU, MODULES, both, check_threads, use

SHAPES = [(2, 3, 5), (3, 5, 49), (4, 70, 33), (9, 37, 1), (300, 3, 1), (1, 1, 7), (5, 2, 20_003)]
EPS = 1e-3


def passes(
    kernel: BatchNormScale, dtype: Any, shape: tuple[int, int, int], scales: bool, rectify: bool
) -> list[np.ndarray]:
    generator = np.random.default_rng(3)
    channels = shape[1]
    x = (3 + 2 * generator.normal(size=shape)).astype(np.float32).astype(dtype)
    dy = generator.normal(size=shape).astype(dtype)
    scale, bias = generator.normal(size=(2, channels)).astype(dtype) if scales else (None, None)
    y, dx, fixed, again, inferred = (np.full(shape, np.nan, dtype) for _ in range(5))
    mean, variance, inverse, factor, shift = np.full((5, channels), np.nan, dtype)
    dscale, dbias = np.ones((2, channels), dtype)
    kernel.forward_train(x, scale, bias, y, mean, variance, inverse, rectify=rectify)
    kernel.backward(dy, x, scale, bias, mean, inverse, dx, dscale, dbias, rectify=rectify)
    kernel.backward(
        dy, x, scale, bias, mean, inverse, fixed, None, None, rectify=rectify, fixed=True
    )
    normed = (x - mean[:, None]) * inverse[:, None]
    again[...] = dy
    kernel.backward(again, normed, scale, None, None, inverse, again, None, None)
    kernel.fold(mean, inverse, scale, bias, factor, shift)
    kernel.forward_inference(x, factor, shift, inferred, rectify=rectify)
    in_place = x.copy()
    kernel.forward_train(in_place, scale, bias, in_place, mean, variance, inverse, rectify=rectify)
    np.testing.assert_array_equal(in_place, y)
    return [y, mean, variance, inverse, dx, dscale, dbias, fixed, again, inferred]


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize(
    ("shape", "scales", "rectify"),
    [*itertools.product(SHAPES, [True], [False, True]), (SHAPES[1], False, False)],
)
def test_every_instruction_set_meets_the_definition(
    shape: tuple[int, int, int],
    scales: bool,
    rectify: bool,
    module: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use(module, monkeypatch)
    tuned, definition = both(BatchNormScale, *shape, EPS)
    for found, expected in zip(
        passes(tuned, np.float32, shape, scales, rectify),
        passes(definition, np.float64, shape, scales, rectify),
        strict=True,
    ):
        np.testing.assert_allclose(found, expected, rtol=0, atol=4e-6 * np.abs(expected).max())


def test_statistics_keep_their_digits_far_from_zero() -> None:
    """Where squares would cancel: a mean of 10,000 deviations."""
    x = (1e4 + np.random.default_rng(4).normal(size=(8, 5, 1000))).astype(np.float32)
    kernel = BatchNormScale.make(CPU, np.float32, *x.shape, 0.0)
    mean, variance, inverse = np.empty((3, 5), np.float32)
    kernel.forward_train(x, None, None, np.empty_like(x), mean, variance, inverse)
    np.testing.assert_allclose(mean, x.mean((0, 2), dtype=np.float64), rtol=1e-7)
    np.testing.assert_allclose(variance, x.var((0, 2), dtype=np.float64), rtol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_stays_in_its_channel(bad: float) -> None:
    x = np.random.default_rng(4).normal(size=(2, 3, 20)).astype(np.float32)
    x[1, 1, 7] = bad
    kernel = BatchNormScale.make(CPU, np.float32, *x.shape, EPS)
    y, (mean, variance, inverse) = np.empty_like(x), np.empty((3, 3), np.float32)
    with np.errstate(invalid="ignore"):
        kernel.forward_train(x, None, None, y, mean, variance, inverse, rectify=True)
    assert np.isnan(y[:, 1]).all()
    assert np.isnan(variance[1])
    assert np.isfinite(y[:, [0, 2]]).all()


def test_a_channel_of_one_value() -> None:
    x = np.full((3, 2, 7), 0.1, np.float32)
    kernel = BatchNormScale.make(CPU, np.float32, *x.shape, EPS)
    y, (mean, variance, inverse) = np.empty_like(x), np.empty((3, 2), np.float32)
    kernel.forward_train(x, None, None, y, mean, variance, inverse)
    np.testing.assert_allclose(y, 0, atol=1e-6)
    np.testing.assert_allclose(variance, 0, atol=1e-14)


@pytest.mark.parametrize("shape", [(3, 50, 700), (400, 200, 1), (5, 2, 40_003)])
def test_the_number_of_threads_changes_no_bit(shape: tuple[int, int, int]) -> None:
    kernel = BatchNormScale.make(CPU, np.float32, *shape, EPS)
    check_threads(lambda: passes(kernel, np.float32, shape, True, True))


@pytest.mark.parametrize("averages", [False, True])
def test_running_statistics_are_weighed_by_age(averages: bool) -> None:
    generator = np.random.default_rng(4)
    means, variances, weight = np.zeros(3), np.zeros(3), np.zeros(1)
    kernel = RunningStatistics.make(CPU, np.float64, 3, 0.75, averages, 1.5)
    batches = generator.normal(size=(4, 2, 3))
    for mean, variance in batches:
        kernel.add(mean.copy(), variance.copy(), means, variances, weight)
    shares = np.array(
        [0.75**3, 0.75**2 / 4, 0.75 / 4, 1 / 4] if averages else 0.75 ** np.r_[3:-1:-1]
    )
    np.testing.assert_allclose(means, shares @ batches[:, 0])
    np.testing.assert_allclose(variances, 1.5 * shares @ batches[:, 1])
    np.testing.assert_allclose(weight, 1 if averages else shares.sum())
