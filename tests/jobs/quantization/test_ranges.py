"""Ranges: what they clip, and the error of their codes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from protonet.errors import UsageError
from protonet.jobs.quantization.histogram import Histogram
from protonet.jobs.quantization.ranges import BlobRange, RangeChoice, decibels
from protonet.kernels.int8 import Coding

GENERATOR = np.random.default_rng(7)
NORMAL = GENERATOR.standard_normal(40_000, np.float32)
LAPLACE = GENERATOR.laplace(size=40_000).astype(np.float32)
VALUES = {
    "normal": NORMAL,
    "relu": np.maximum(LAPLACE, 0),
    "outlier": np.append(NORMAL, np.float32(60)),
    "shifted": NORMAL + 9,
    "negative": -np.abs(LAPLACE) - 1,
}


def histogram_of(values: np.ndarray) -> Histogram:
    found = Histogram()
    found.add(values)
    return found


def measured(values: np.ndarray, low: float, high: float) -> float:
    """The ratio of signal to noise of the codes themselves."""
    coding = Coding.of(low, high)
    x = values.astype(np.float64)
    decoded = coding.decode(np, coding.encode(np, values)).astype(np.float64)
    return decibels(float(np.sum(x**2)), float(np.sum((x - decoded) ** 2)))


@pytest.mark.parametrize("name", VALUES)
def test_the_error_is_that_of_the_codes(name: str) -> None:
    values = VALUES[name]
    histogram = histogram_of(values)
    for method in ("minmax", "percentile", "mse"):
        found = RangeChoice(method, 99.9).of(histogram)
        assert found.snr == pytest.approx(measured(values, found.low, found.high), abs=0.1)
        outside = (values < found.low) | (values > found.high)
        assert found.clipped == pytest.approx(outside.mean(), abs=3e-4)


@pytest.mark.parametrize("name", VALUES)
def test_the_least_error_is_less_than_that_of_others(name: str) -> None:
    values = VALUES[name]
    histogram = histogram_of(values)
    best = RangeChoice("mse").of(histogram)
    assert best.clipped <= 0.01
    for share in (1.0, 0.95, 0.9, 0.8):
        low, high = min(histogram.low, 0) * share, max(histogram.high, 0) * share
        other = BlobRange.of(histogram, low, high)
        assert best.snr >= other.snr - 0.1
    assert best.snr >= RangeChoice("minmax").of(histogram).snr


def test_ranges_by_hand() -> None:
    values = np.append(np.linspace(0, 10, 1000, dtype=np.float32), np.float32(80))
    histogram = histogram_of(values)
    whole = RangeChoice("minmax").of(histogram)
    assert (whole.low, whole.high, whole.clipped) == (0, 80, 0)
    cut = RangeChoice("percentile", 99.9).of(histogram)
    assert cut.low == 0
    assert cut.high == pytest.approx(10, abs=0.04)  # a bin
    assert cut.clipped == pytest.approx(1 / 1001)
    assert RangeChoice("percentile", 100).of(histogram) == whole
    # the one value costs more than finer steps for all others gain
    assert RangeChoice("mse").of(histogram).high > 70
    thick = histogram_of(np.append(np.tile(values[:-1], 300), np.float32(80)))
    assert RangeChoice("mse").of(thick).high < 70


def test_a_range_contains_0() -> None:
    for method in ("minmax", "percentile", "mse"):
        above = RangeChoice(method).of(histogram_of(VALUES["shifted"]))
        assert above.low == 0 < above.high
        below = RangeChoice(method).of(histogram_of(VALUES["negative"]))
        assert below.low < 0 == below.high


def test_white_is_not_clipped() -> None:
    """Half of all values at the greatest one: no range ends right below it."""
    pixels = GENERATOR.integers(0, 256, 9000).astype(np.float32)
    pixels[::2] = 255
    found = RangeChoice("mse").of(histogram_of(pixels / 256))
    assert (found.low, found.high, found.clipped) == (0, 255 / 256, 0)


def test_one_value_and_none() -> None:
    zeros = RangeChoice("mse").of(histogram_of(np.zeros(5, np.float32)))
    assert zeros == BlobRange(0, 0, 0, math.inf)
    for method in ("minmax", "percentile", "mse"):
        ones = RangeChoice(method).of(histogram_of(np.full(5, 3, np.float32)))
        assert (ones.low, ones.clipped) == (0, 0)
        assert ones.high == pytest.approx(3, abs=1e-3)


def test_decibels() -> None:
    assert decibels(100, 1) == 20
    assert decibels(1, 0) == math.inf
    assert decibels(0, 1) == -math.inf


def test_what_cannot_be() -> None:
    with pytest.raises(UsageError, match="ranges 'kl': expected mse, percentile, minmax"):
        RangeChoice("kl")
    for percentile in (50, 101, math.nan):
        with pytest.raises(UsageError, match="expected more than 50, up to 100"):
            RangeChoice("percentile", percentile)
