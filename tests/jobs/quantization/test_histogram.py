"""Histograms whose bins grow."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.jobs.quantization.histogram import BINS, Histogram

GENERATOR = np.random.default_rng(5)
PARTS = [
    GENERATOR.standard_normal((3, 5, 70), np.float32) * scale for scale in (1, 0.01, 900, 3)
] + [np.zeros(7, np.float32)]


def histogram_of(parts: list[np.ndarray]) -> Histogram:
    found = Histogram()
    for part in parts:
        found.add(part)
    return found


def test_counts_are_those_of_all_values_at_once() -> None:
    """However the bins grew; and the order of the parts does not matter."""
    found = histogram_of(PARTS)
    values = np.concatenate([part.ravel() for part in PARTS])
    rest = values[values != 0]
    edges = (np.arange(BINS + 1) - BINS // 2) * found.width
    np.testing.assert_array_equal(found.counts, np.histogram(rest, edges)[0])
    assert (found.zeros, found.total) == (7, values.size)
    assert (found.low, found.high) == (values.min(), values.max())
    assert found.squares == pytest.approx(float((values.astype(np.float64) ** 2).sum()))
    again = histogram_of(PARTS[::-1])
    np.testing.assert_array_equal(again.counts, found.counts)
    assert again.width == found.width
    # a power of two, half of whose bins at least are needed
    assert np.log2(found.width) % 1 == 0
    assert found.width * BINS / 4 < np.abs(values).max() <= found.width * BINS / 2


@pytest.mark.parametrize("value", [2.0**10, -(2.0**10), 1.0, 1e-42, -3e-39, 3e38])
def test_edges_and_ends(value: float) -> None:
    """The greatest value that the bins reach, and numbers whose inverse no float32 holds."""
    found = histogram_of([np.full(4, value, np.float32), np.full(2, value, np.float32)])
    assert (found.counts.sum(), found.zeros) == (6, 0)
    assert found.low == found.high == np.float32(value)


def test_nothing_and_zeros_alone() -> None:
    found = histogram_of([np.zeros((0, 3), np.float32), np.zeros(3, np.float32)])
    assert (found.total, found.zeros, found.counts.sum(), found.width) == (3, 3, 0, 0)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite(value: float) -> None:
    found = histogram_of(PARTS)
    before = found.counts.copy(), found.total
    values = np.ones(5, np.float32)
    values[3] = value
    with pytest.raises(ValueError, match="not finite"):
        found.add(values)
    np.testing.assert_array_equal(found.counts, before[0])
    assert found.total == before[1]
