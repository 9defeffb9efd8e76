"""Which range of values the 256 codes of a blob cover."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from protonet.errors import UsageError
from protonet.jobs.quantization.histogram import Histogram

_STEPS = 255
"""Between the first and the last code."""
_ROUNDS = 3
"""Of the search for the range with the least error, which fixes one end after the other."""
_WORTH = 0.98
"""An error this share of the full range's, or less, is worth clipping values."""
_MOST_CLIPPED = 0.005
"""The share of values that an end of the range with the least error leaves out at most: without
it, white of 255 may be cut to 254.9, where half of an image is white.
"""

METHODS = ("mse", "percentile", "minmax")
PERCENTILE = 99.99


@dataclass(frozen=True)
class RangeChoice:
    """How a range is chosen: one of ``METHODS``, and the percentile for that one.

    Raises:
        UsageError: for another method, or a percentile that is not between 50 and 100.
    """

    method: str = "mse"
    percentile: float = PERCENTILE

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise UsageError(f"ranges '{self.method}': expected {', '.join(METHODS)}")
        if not 50 < self.percentile <= 100:
            raise UsageError(
                f"percentile {self.percentile:g}: expected more than 50, up to 100; "
                "100 is the same as minmax"
            )

    def of(self, histogram: Histogram) -> BlobRange:
        """The range for the values of a histogram."""
        low, high = min(histogram.low, 0.0), max(histogram.high, 0.0)
        if self.method == "percentile":
            low, high = _percentile(histogram, self.percentile, low, high)
        elif self.method == "mse":
            low, high = _Errors(histogram).least(low, high)
        return BlobRange.of(histogram, low, high)


@dataclass(frozen=True)
class BlobRange:
    """A range, which contains 0; the share of values outside of it, and the ratio of signal to
    noise of all values, in decibels: infinite without noise.
    """

    low: float
    high: float
    clipped: float
    snr: float

    @staticmethod
    def of(histogram: Histogram, low: float, high: float) -> BlobRange:
        """What a range does to the values of a histogram."""
        errors = _Errors(histogram)
        noise = errors.of(low, high)
        return BlobRange(
            low, high, errors.outside(low, high), decibels(histogram.squares, float(noise))
        )


def decibels(signal: float, noise: float) -> float:
    """The ratio of two sums of squares: infinite without noise."""
    if noise <= 0:
        return float("inf")
    return float(10 * np.log10(signal / noise)) if signal else float("-inf")


def _percentile(
    histogram: Histogram, percentile: float, low: float, high: float
) -> tuple[float, float]:
    """The range without so many of the least and of the greatest values; at most ``low, high``."""
    left_out = histogram.total * (1 - percentile / 100)
    counts, width = histogram.counts.copy(), histogram.width
    half = len(counts) // 2
    counts[half] += histogram.zeros
    # the last edge with no more than so many values beyond it
    below = np.concatenate([[0], np.cumsum(counts)])
    above = histogram.total - below
    edges = np.arange(-half, half + 1) * width
    first = edges[np.flatnonzero(below <= left_out)[-1]]
    last = edges[np.flatnonzero(above <= left_out)[0]]
    return min(0.0, max(low, float(first))), max(0.0, min(high, float(last)))


class _Errors:
    """The sum of squared errors of codes for a range, for many ranges at once.

    A value inside of a range is off by step^2 / 12 on average, 0 not at all; one outside by its
    distance from the range.
    """

    def __init__(self, histogram: Histogram) -> None:
        self._total = max(histogram.total, 1)
        self._most = _MOST_CLIPPED * histogram.total
        self._low, self._high = -histogram.low, histogram.high
        n, x = histogram.counts.astype(np.float64), histogram.centers
        # the middle of a bin lies outside of all values where these end within the bin
        x = np.clip(x, histogram.low, histogram.high)
        half = len(n) // 2
        self._ends = np.arange(half + 1) * histogram.width
        """The edges of one side, from 0 on."""
        # moments of the values beyond each edge, of either side
        self._above = _moments(n[half:], x[half:])
        self._below = _moments(n[:half][::-1], -x[:half][::-1])

    def least(self, low: float, high: float) -> tuple[float, float]:
        """The range within low and high with the least error; these where it is hardly less."""
        full = low, high
        highs = np.unique(np.append(self._ends[self._ends < high], high))
        lows = -np.unique(np.append(self._ends[self._ends < -low], -low))
        highs = highs[_clipped(self._above, self._ends, highs, self._high)[0] <= self._most]
        lows = lows[_clipped(self._below, self._ends, -lows, self._low)[0] <= self._most]
        for _ in range(_ROUNDS):
            high = float(highs[np.argmin(self.of(low, highs))])
            low = float(lows[np.argmin(self.of(lows, high))])
        return (low, high) if self.of(low, high) <= _WORTH * self.of(*full) else full

    def of(self, low: np.ndarray | float, high: np.ndarray | float) -> np.ndarray:
        """The error of ranges."""
        above, below = self._beyond(low, high)
        inside = self._above[0, 0] + self._below[0, 0] - above[0] - below[0]
        step = (np.asarray(high) - low) / _STEPS
        found: np.ndarray = inside * step**2 / 12 + above[1] + below[1]
        return found

    def outside(self, low: float, high: float) -> float:
        """The share of values outside of a range."""
        above, below = self._beyond(low, high)
        return float(above[0] + below[0]) / self._total

    def _beyond(
        self, low: np.ndarray | float, high: np.ndarray | float
    ) -> tuple[np.ndarray, np.ndarray]:
        """How many values lie above and below of ranges, and the sums of squared distances."""
        above = _clipped(self._above, self._ends, high, self._high)
        return above, _clipped(self._below, self._ends, np.negative(low), self._low)


def _clipped(
    moments: np.ndarray, ends: np.ndarray, end: np.ndarray | float, most: float
) -> np.ndarray:
    """Of the values beyond an end of a range, of which the greatest is ``most``: how many they
    are, and the sum of their squared distances from it.
    """
    place = np.where(np.less(end, most), np.searchsorted(ends, end), len(ends) - 1)
    count, sums, squares = moments[:, np.minimum(place, len(ends) - 1)]
    return np.stack([count, np.maximum(squares - 2 * end * sums + count * np.square(end), 0)])


def _moments(n: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Count, sum and sum of squares of the values beyond each edge: 3 x (bins + 1)."""
    moments = np.stack([n, n * x, n * x * x])
    sums = np.cumsum(moments[:, ::-1], axis=1)[:, ::-1]
    return np.concatenate([sums, np.zeros((3, 1))], axis=1)
