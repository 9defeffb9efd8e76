"""Kernels on codes: the compiled versions are the definitions, bit by bit, and close to floats."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.kernels.int8 import Coding, codes_in
from protonet.kernels.int8_values import (
    Int8AveragePool,
    Int8Decode,
    Int8Join,
    Int8MaxPool,
    Int8Sum,
    Multipliers,
)
from protonet.kernels.pooling import AveragePool, MaxPool
from protonet.kernels.windows import Windows, window_outputs
from tests.kernels.instructions import CPU, UNTUNED, check_threads

SOURCE, TARGET = Coding.of(-3, 5), Coding.of(-1, 4)
POOLS = [
    # items, channels, inputs, kernel, stride, pad
    (2, 3, (7, 9), (3, 3), (2, 2), (0, 0)),
    (1, 70, (6, 5), (3, 2), (1, 1), (1, 1)),
    (3, 16, (7, 7), (7, 7), (1, 1), (0, 0)),
    (2, 130, (5, 5), (1, 1), (2, 2), (0, 0)),
]


def coded(x: np.ndarray, coding: Coding) -> np.ndarray:
    """A blob of the codes of x."""
    items, channels = x.shape[:2]
    blob = np.zeros_like(x)
    codes = coding.encode(np, x.reshape(items, channels, -1)).swapaxes(1, 2)
    codes_in(blob, items, channels)[:, :, :channels] = codes
    return blob


def values(blob: np.ndarray, coding: Coding) -> np.ndarray:
    items, channels = blob.shape[:2]
    codes = codes_in(blob, items, channels)[:, :, :channels]
    return coding.decode(np, codes).swapaxes(1, 2).reshape(blob.shape)


def codes_of(blob: np.ndarray) -> np.ndarray:
    return codes_in(blob, *blob.shape[:2])[:, :, : blob.shape[1]]


def random(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(scale=2, size=shape).astype(np.float32)


def pooled(case: Any) -> tuple[tuple[Windows, int, int], np.ndarray, np.ndarray]:
    """Geometry, bottom and an empty top of a case."""
    items, channels, inputs, kernel, stride, pad = case
    outputs = window_outputs(inputs, kernel, stride, pad, (1, 1))
    windows = Windows(inputs, kernel, stride, pad, (1, 1), outputs)
    x = coded(random((items, channels, *inputs)), SOURCE)
    return (windows, items, channels), x, np.zeros((items, channels, *outputs), np.float32)


@pytest.mark.parametrize("case", POOLS, ids=str)
def test_maxima(case: Any) -> None:
    geometry, x, y = pooled(case)
    Int8MaxPool.make(UNTUNED, np.float32, *geometry).forward(x, y)
    exact = np.zeros_like(y)
    MaxPool.make(UNTUNED, np.float32, *geometry).forward(values(x, SOURCE), exact, None)
    np.testing.assert_array_equal(values(y, SOURCE), exact)
    found = np.zeros_like(y)
    Int8MaxPool.make(CPU, np.float32, *geometry).forward(x, found)
    np.testing.assert_array_equal(codes_of(found), codes_of(y))


@pytest.mark.parametrize("target", [None, TARGET])
@pytest.mark.parametrize("case", POOLS, ids=str)
def test_means(case: Any, target: Coding | None) -> None:
    geometry, x, y = pooled(case)
    Int8AveragePool.make(UNTUNED, np.float32, *geometry, SOURCE, target).forward(x, y)
    exact = np.zeros_like(y)
    AveragePool.make(UNTUNED, np.float32, *geometry).forward(values(x, SOURCE), exact)
    found = np.zeros_like(y)
    Int8AveragePool.make(CPU, np.float32, *geometry, SOURCE, target).forward(x, found)
    if target is None:
        np.testing.assert_allclose(y, exact, atol=1e-5)
        np.testing.assert_array_equal(found, y)
    else:
        error = np.abs(values(y, TARGET) - exact.clip(-1, 4)).max()
        assert error <= 0.5001 * TARGET.scale
        np.testing.assert_array_equal(codes_of(found), codes_of(y))


@pytest.mark.parametrize("rectify", [False, True])
@pytest.mark.parametrize("factors", [(1.0, 1.0), (0.5, -2.0, 1e-3), (0.25,), (300.0, 1.0)])
@pytest.mark.parametrize("shape", [(2, 3, 5, 7), (1, 128, 4, 4), (3, 5)])
def test_sums(shape: tuple[int, ...], factors: tuple[float, ...], rectify: bool) -> None:
    codings = [Coding.of(-3 - place, 5) for place in range(len(factors))]
    xs = [coded(random(shape, place), coding) for place, coding in enumerate(codings)]
    exact = sum(f * values(x, c) for f, x, c in zip(factors, xs, codings, strict=True))
    target = Coding.of(-2, 6)
    geometry = (*shape[:2], int(np.prod(shape[2:])), codings, factors, target)
    y, found = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    Int8Sum.make(UNTUNED, np.float32, *geometry).forward(xs, y, rectify)
    low = 0 if rectify else target.scale * -target.zero
    bounded = np.clip(exact, low, target.scale * (255 - target.zero))
    rounding = 0.5 + 256 * len(factors) / 2 ** Multipliers.of(codings, factors, target).shift
    assert np.abs(values(y, target) - bounded).max() <= rounding * target.scale
    Int8Sum.make(CPU, np.float32, *geometry).forward(xs, found, rectify)
    np.testing.assert_array_equal(codes_of(found), codes_of(y))


def test_factors_out_of_bounds_are_bounded() -> None:
    found = Multipliers.of([SOURCE, SOURCE], [1e9, -1e9], SOURCE)
    assert found.times == (32767, -32767)
    assert found.shift == 0
    assert Multipliers.of([SOURCE], [0.0], SOURCE).times == (0,)


def test_channels_are_joined() -> None:
    parts = [random((2, count, 3, 5), count) for count in (3, 64, 70)]
    xs = [coded(each, SOURCE) for each in parts]
    y, found = np.zeros((2, 137, 3, 5), np.float32), np.zeros((2, 137, 3, 5), np.float32)
    Int8Join.make(UNTUNED, np.float32, 2, [3, 64, 70], 15).forward(xs, y)
    np.testing.assert_array_equal(
        values(y, SOURCE), np.concatenate([values(x, SOURCE) for x in xs], axis=1)
    )
    Int8Join.make(CPU, np.float32, 2, [3, 64, 70], 15).forward(xs, found)
    np.testing.assert_array_equal(codes_of(found), codes_of(y))


@pytest.mark.parametrize("shape", [(2, 3, 5, 7), (1, 70, 4, 4), (3, 5)])
def test_codes_have_values(shape: tuple[int, ...]) -> None:
    x = coded(random(shape), SOURCE)
    pixels = int(np.prod(shape[2:]))
    y, found = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    Int8Decode.make(UNTUNED, np.float32, *shape[:2], pixels, SOURCE).forward(x, y)
    np.testing.assert_array_equal(y, values(x, SOURCE))
    Int8Decode.make(CPU, np.float32, *shape[:2], pixels, SOURCE).forward(x, found)
    np.testing.assert_array_equal(found, y)


def test_threads_change_no_bit() -> None:
    geometry, x, y = pooled(POOLS[0])
    kernel = Int8AveragePool.make(CPU, np.float32, *geometry, SOURCE)

    def passes() -> list[np.ndarray]:
        kernel.forward(x, y)
        return [y]

    check_threads(passes)
