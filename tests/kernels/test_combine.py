"""Arrays combined and parts copied: the compiled versions beside their definitions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.kernels.combine import Combine, Parts
from tests.kernels.instructions import CPU, MODULES, both, check_threads, use


def combinations(kernel: Combine, dtype: Any, size: int, count: int) -> list[np.ndarray]:
    generator = np.random.default_rng(3)
    xs = list(np.round(generator.normal(size=(count, size)), 1).astype(dtype))
    dy = generator.normal(size=size).astype(dtype)
    xs[0][::9] = np.nan
    xs[-1][::11] = np.inf
    out = list(np.full((7, size), np.nan, dtype))
    winner = np.empty(size, kernel.winners)
    with np.errstate(invalid="ignore"):
        kernel.weighted_sum(xs, [1.0, -0.5, 2.0, 1.0][:count], out[0])
        kernel.product(xs, out[1])
        kernel.add(xs[0], xs[1], out[2])
        kernel.weighted_sum(xs, [-1.0, 0.5, 2.0, 1.0][:count], out[4], rectify=True)
        kernel.product(xs, out[5], rectify=True)
        kernel.greatest(xs, out[6], winner, rectify=True)
        kernel.greatest(xs, out[3], winner)
    gradients = [np.empty(size, dtype) for _ in xs]
    for place, dx in enumerate(gradients):
        kernel.greatest_back(dy, winner, place, dx)
    kernel.add(dy, gradients[0], dy)
    sent = [np.empty(size, dtype) for _ in range(4)]
    kernel.scatter(dy.copy(), out[4], [1.0, -0.5], sent[:2])
    kernel.scatter(dy, None, [1.0, 2.0], sent[2:])
    kernel.mask(dy, out[4])
    return [*out, winner.astype(np.int32), *gradients, *sent, dy]


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("count", [2, 3, 4])
@pytest.mark.parametrize("size", [1, 37, 40_003])
def test_every_instruction_set_meets_the_definition(
    size: int, count: int, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(module, monkeypatch)
    tuned, definition = both(Combine, (size,), count)
    for found, expected in zip(
        combinations(tuned, np.float32, size, count),
        combinations(definition, np.float32, size, count),
        strict=True,
    ):
        np.testing.assert_allclose(found, expected, rtol=2e-6, atol=1e-6)


def test_more_arrays_than_a_byte_can_count_run_as_defined() -> None:
    assert type(Combine.make(CPU, np.float32, (2,), 256)) is Combine


CUTS = [(1, [3]), (5, [1, 2, 7]), (40, [300, 1, 1000]), (2, [60_000, 40_001]), (3, [5, 5])]


def copies(kernel: Parts, dtype: Any, rows: int, lengths: list[int]) -> list[np.ndarray]:
    large = np.random.default_rng(3).normal(size=(rows, sum(lengths))).astype(dtype)
    parts = [np.full((rows, length), np.nan, dtype) for length in lengths]
    again = np.full_like(large, np.nan)
    for place, part in enumerate(parts):
        kernel.take(large, place, part)
        kernel.put(part, place, again)
    np.testing.assert_array_equal(again, large)
    return parts


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize(("rows", "lengths"), CUTS, ids=str)
def test_parts(rows: int, lengths: list[int], module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use(module, monkeypatch)
    tuned, definition = both(Parts, rows, lengths)
    for found, expected in zip(
        copies(tuned, np.float32, rows, lengths),
        copies(definition, np.float32, rows, lengths),
        strict=True,
    ):
        np.testing.assert_array_equal(found, expected)


def test_the_number_of_threads_changes_no_bit() -> None:
    kernel = Combine.make(CPU, np.float32, (100_003,), 3)
    check_threads(lambda: combinations(kernel, np.float32, 100_003, 3))
