"""Scales and biases by channel: the compiled version beside the definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.kernels.scaling import Scaling
from tests.kernels.instructions import CPU, MODULES, both, check_threads, use

SHAPES = [(2, 3, 5), (3, 5, 49), (9, 37, 1), (300, 3, 1), (1, 1, 7), (5, 2, 20_003)]


def passes(kernel: Scaling, dtype: Any, shape: tuple[int, int, int]) -> list[np.ndarray]:
    generator = np.random.default_rng(3)
    x, dy = (generator.normal(size=shape).astype(dtype) for _ in range(2))
    s, b = generator.normal(size=(2, shape[1])).astype(dtype)
    y, product, rectified, dx = (np.full(shape, np.nan, dtype) for _ in range(4))
    ds, db, alone = np.ones((3, shape[1]), dtype)
    kernel.forward(x, s, b, y)
    kernel.forward(x, s, None, product)
    kernel.forward(x, None, b, rectified, rectify=True)
    kernel.backward(dy, x, s, dx, ds, db)
    masked, mds, mdb, mdb2 = np.full(shape, np.nan, dtype), *np.ones((3, shape[1]), dtype)
    kernel.backward(dy.copy(), x, s, masked, mds, mdb, y=rectified)
    kernel.backward(dy.copy(), None, s, None, None, mdb2, y=rectified)
    sent = dy.copy()
    kernel.backward(sent, None, s, sent, None, None, y=rectified)
    kernel.backward(dy, None, None, None, None, alone)
    kernel.backward(dy, None, s, dy, None, None)
    kernel.backward(dy, x, None, None, ds, None)
    return [y, product, rectified, dx, ds, db, alone, dy, masked, mds, mdb, mdb2, sent]


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_instruction_set_meets_the_definition(
    shape: tuple[int, int, int], module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(module, monkeypatch)
    tuned, definition = both(Scaling, *shape)
    for found, expected in zip(
        passes(tuned, np.float32, shape), passes(definition, np.float64, shape), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6 * np.abs(expected).max())


def test_what_is_not_a_number_is_not_rectified_away() -> None:
    x = np.array([[np.nan, -1, np.inf], [2, -np.inf, -0.0]], np.float32)
    kernel, y = Scaling.make(CPU, np.float32, 1, 2, 3), np.empty_like(x)
    kernel.forward(x, None, None, y, rectify=True)
    np.testing.assert_array_equal(y, [[np.nan, 0, np.inf], [2, 0, 0]])


@pytest.mark.parametrize("shape", [(3, 50, 700), (400, 200, 1), (5, 2, 40_003)])
def test_the_number_of_threads_changes_no_bit(shape: tuple[int, int, int]) -> None:
    kernel = Scaling.make(CPU, np.float32, *shape)
    check_threads(lambda: passes(kernel, np.float32, shape))
