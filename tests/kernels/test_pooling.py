"""The compiled poolings beside their definitions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels import native
from protonet.kernels.pooling import AveragePool, MaxPool
from protonet.kernels.windows import Windows
from tests.kernels.instructions import MODULES, use

CASES = [
    # inputs, kernel, stride, pad, outputs
    ((8, 6), (2, 2), (2, 2), (0, 0), (4, 3)),
    ((7, 5), (2, 2), (2, 2), (0, 0), (4, 3)),
    ((20, 75), (2, 2), (2, 2), (0, 0), (10, 37)),
    ((9, 32), (2, 2), (2, 2), (0, 0), (4, 16)),
    ((112, 111), (3, 3), (2, 2), (0, 0), (56, 55)),
    ((13, 12), (3, 3), (2, 2), (0, 0), (6, 6)),
    ((14, 13), (3, 3), (1, 1), (1, 1), (14, 13)),
    ((28, 35), (3, 3), (1, 1), (1, 1), (28, 35)),
    ((40, 70), (3, 2), (2, 3), (1, 1), (21, 24)),
    ((33, 34), (5, 5), (3, 3), (2, 2), (12, 12)),
    ((19, 20), (1, 2), (3, 3), (0, 0), (7, 7)),
    ((7, 9), (7, 9), (1, 1), (0, 0), (1, 1)),
    ((30, 41), (30, 41), (1, 1), (0, 0), (1, 1)),
    ((30, 29), (9, 8), (1, 1), (4, 3), (30, 28)),
    ((5, 6), (2, 3), (4, 4), (1, 0), (2, 2)),
    ((90, 3), (11, 1), (2, 2), (5, 0), (46, 2)),
]


@pytest.fixture(params=MODULES)
def compiled(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Each compiled module that runs here, in place of the best."""
    use(request.param, monkeypatch)
    return native.load()


def pair(family: Any, case: Any, items: int = 2, channels: int = 3) -> tuple[Any, Any]:
    """The tuned kernel for float32, and the definition in float64."""
    inputs, kernel, stride, pad, outputs = case
    windows = Windows(inputs, kernel, stride, pad, (1, 1), outputs)
    tuned = family.make(Device("cpu"), np.float32, windows, items, channels)
    assert tuned.processor == "native"
    return tuned, family(Device("cpu"), np.float64, windows, items, channels)


def maxima(kernel: Any, x: np.ndarray, dy: np.ndarray) -> list[np.ndarray]:
    """y, y without places, places, dx."""
    y, alone = np.full((2, *dy.shape), np.nan, x.dtype)
    places, dx = np.full(dy.shape, 7, np.int32), np.full_like(x, np.nan)
    kernel.forward(x, y, places)
    kernel.forward(x, alone, None)
    kernel.backward(dy, places, dx)
    return [y, alone, places, dx]


@pytest.mark.parametrize("values", ["normal", "ties", "strange"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_maxima(case: Any, values: str, compiled: Any) -> None:
    tuned, definition = pair(MaxPool, case)
    generator = np.random.default_rng(1)
    x = generator.normal(size=(2, 3, *case[0])).astype(np.float32)
    if values == "ties":
        x = np.round(x)
    if values == "strange":
        bad = [np.nan, -np.inf, np.inf, -np.finfo(np.float32).max]
        x = generator.choice(np.array([*bad, 1.0, np.nan, -np.inf], np.float32), size=x.shape)
    dy = generator.normal(size=(2, 3, *case[4])).astype(np.float32)
    found = maxima(tuned, x, dy)
    expected = maxima(definition, x.astype(np.float64), dy.astype(np.float64))
    for one, other in zip(found[:3], expected[:3], strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_allclose(found[3], expected[3], rtol=0, atol=1e-6 * 20)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_means(case: Any, compiled: Any) -> None:
    tuned, definition = pair(AveragePool, case)
    generator = np.random.default_rng(1)
    x, dy = (generator.normal(size=(2, 3, *case[k])) for k in (0, 4))
    results = []
    for kernel, dtype in ((tuned, np.float32), (definition, np.float64)):
        y, dx = np.full(dy.shape, np.nan, dtype), np.full(x.shape, np.nan, dtype)
        with np.errstate(invalid="ignore"):
            kernel.forward(x.astype(dtype), y)
            kernel.backward(dy.astype(dtype), dx)
        results.append((y, dx))
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("family", [MaxPool, AveragePool])
def test_the_number_of_threads_changes_no_bit(family: Any) -> None:
    case = ((33, 31), (3, 3), (2, 2), (1, 1), (17, 16))
    tuned, _ = pair(family, case, 5, 70)
    generator = np.random.default_rng(4)
    x = generator.normal(size=(5, 70, *case[0])).astype(np.float32)
    dy = generator.normal(size=(5, 70, *case[4])).astype(np.float32)
    module = native.load()
    before, found = module.threads(), []
    for threads in (1, 2, 3, 5):
        module.set_threads(threads)
        y, dx, places = np.empty_like(dy), np.empty_like(x), np.empty(dy.shape, np.int32)
        if family is MaxPool:
            tuned.forward(x, y, places)
            tuned.backward(dy, places, dx)
        else:
            tuned.forward(x, y)
            tuned.backward(dy, dx)
        found.append((y, dx))
    module.set_threads(before)
    for others in found[1:]:
        for one, other in zip(found[0], others, strict=True):
            np.testing.assert_array_equal(one, other)


def test_the_native_path_has_no_memory_of_its_own() -> None:
    for family in (MaxPool, AveragePool):
        tuned, _ = pair(family, CASES[0])
        assert not [each for each in vars(tuned).values() if isinstance(each, np.ndarray)]
