"""Convolutions over pixels with the pooling of their results: at once as one after another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.kernels import native
from protonet.kernels.convolution import ConvolutionShape, Stage
from protonet.kernels.pixels import ConvolvePixels, planes_of
from protonet.kernels.pooled import PooledPixels, pools_well
from protonet.kernels.windows import Windows, window_outputs
from protonet.layers.pooling import pool_windows
from tests.kernels.instructions import CPU, UNTUNED, check_threads

CASES = [
    # items, channels, extents, outputs, kernel, stride, pad; window, step, padding; planes
    (5, 3, (32, 32), 32, (5, 5), (1, 1), (2, 2), (3, 3), (2, 2), (0, 0), True),
    (2, 32, (19, 17), 40, (5, 5), (1, 1), (2, 2), (3, 3), (2, 2), (1, 1), False),
    (1, 64, (60, 58), 64, (3, 3), (1, 1), (1, 1), (2, 2), (2, 2), (0, 0), False),
    (4, 3, (61, 61), 33, (3, 3), (2, 2), (0, 0), (3, 3), (2, 2), (0, 0), True),
    (1, 16, (40, 30), 128, (1, 1), (1, 1), (0, 0), (3, 2), (1, 2), (1, 0), False),
    (3, 20, (23, 70), 24, (3, 3), (1, 1), (1, 1), (7, 5), (3, 3), (3, 2), False),
    (1, 8, (9, 9), 16, (3, 3), (1, 1), (1, 1), (9, 9), (1, 1), (0, 0), False),  # one window
    (2, 8, (61, 61), 64, (3, 3), (1, 1), (1, 1), (5, 5), (8, 8), (0, 0), False),  # rows left out
]


def random(shape: tuple[int, ...], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def geometry(case: Any) -> tuple[ConvolutionShape, Windows]:
    items, channels, extents, outputs, kernel, stride, pad, window, step, around, _ = case
    out = window_outputs(extents, kernel, stride, pad, (1, 1))
    windows = Windows(extents, kernel, stride, pad, (1, 1), out)
    return (windows, items, channels, outputs, 1), pool_windows(out, window, step, around)


def made(device: Any, case: Any, *, mean: bool = False) -> PooledPixels:
    shape, pool = geometry(case)
    convolution = ConvolvePixels.make(device, np.float32, *shape, case[-1])
    return PooledPixels.make(device, np.float32, convolution, pool, mean)


def given(case: Any) -> tuple[np.ndarray, np.ndarray, Stage]:
    (windows, items, channels, outputs, _), pool = geometry(case)
    x = random((items, channels, *windows.inputs), 1)
    held = np.empty_like(x)
    planes_of(held)[...] = x
    w = random((outputs, channels, *windows.kernel), 2)
    stage = Stage(w, random((outputs,), 3), random((outputs,), 4), False)
    y = np.full((items, outputs, *pool.outputs), np.nan, np.float32)
    return (x if case[-1] else held), y, stage


@pytest.mark.parametrize("mean", [False, True])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_at_once_as_one_after_another(case: Any, mean: bool) -> None:
    """The same bits as the tuned kernels of each, and close to the definition."""
    x, found, stage = given(case)
    apart, defined = np.full_like(found, np.nan), np.full_like(found, np.nan)
    tuned = made(CPU, case, mean=mean)
    for first, last in ((False, False), (True, False), (False, not mean)):
        how = stage._replace(rectify=first)
        tuned.forward(x, found, how, last)
        PooledPixels(CPU, np.float32, tuned.convolution, tuned.windows, mean).forward(
            x, apart, how, last
        )
        made(UNTUNED, case, mean=mean).forward(x, defined, how, last)
        if mean:
            np.testing.assert_allclose(found, apart, rtol=1e-5, atol=1e-5)
        else:
            np.testing.assert_array_equal(found, apart)
        bound = 1e-5 * np.abs(defined).max()
        np.testing.assert_allclose(found, defined, rtol=0, atol=bound)


@pytest.mark.parametrize("case", CASES[:3], ids=str)
def test_results_do_not_depend_on_threads(case: Any) -> None:
    def compute() -> np.ndarray:
        x, y, stage = given(case)
        made(CPU, case).forward(x, y, stage, True)
        return y

    check_threads(compute)


def test_when_it_is_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "threads", lambda: 2)

    def worth(*case: Any) -> bool:
        return pools_well(*geometry((*case, False)))

    layer = ((5, 5), (1, 1), (2, 2))
    assert worth(16, 32, (16, 16), 32, *layer, (3, 3), (2, 2), (0, 0))
    assert worth(1, 32, (16, 16), 32, *layer, (3, 3), (2, 2), (0, 0))
    assert not worth(1, 32, (16, 16), 32, *layer, (5, 5), (2, 2), (0, 0)), "rows twice"
    assert not worth(16, 32, (8, 8), 64, *layer, (3, 3), (2, 2), (0, 0)), "few places"
    assert not worth(16, 256, (56, 56), 256, *layer, (2, 2), (2, 2), (0, 0)), "heavy weights"
    assert not worth(16, 32, (16, 16), 32, *layer, (2, 2), (3, 3), (0, 0)), "values left out"
    assert pools_well(*geometry(CASES[0]))
    assert not pools_well(*geometry(CASES[-1]))
    (*shape, _), pool = geometry(CASES[1])
    assert not pools_well((*shape, 2), pool), "two groups"
