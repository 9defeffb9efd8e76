"""Histograms of values that arrive in parts, over a range that is not known before."""

from __future__ import annotations

import math

import numpy as np

BINS = 8192
"""Bins on both sides of 0 together."""
_HALF = BINS // 2
_LEAST = 2.0**-120
"""The smallest width of a bin: float32 holds it and its inverse."""


class Histogram:
    """Counts of values in bins of equal width, a power of two, with an edge at 0.

    When a value lies outside of all bins, the width doubles until it is inside: pairs of bins
    become one, so that counts stay exact. Zeros are counted on their own, since they have a code
    of their own.

    ``low`` and ``high`` are the least and the greatest value, 0 before the first; ``squares`` is
    the sum of squares.
    """

    def __init__(self) -> None:
        self.counts = np.zeros(BINS, np.int64)
        self.width = 0.0
        self.zeros = self.total = 0
        self.low = self.high = 0.0
        self.squares = 0.0

    @property
    def centers(self) -> np.ndarray:
        """The middle of each bin."""
        middles: np.ndarray = (np.arange(-_HALF, _HALF) + 0.5) * self.width
        return middles

    def add(self, values: np.ndarray) -> None:
        """Count values.

        Raises:
            ValueError: for one that is not finite; then nothing is counted.
        """
        if not values.size:
            return
        flat = values.reshape(-1)
        low, high = float(flat.min()), float(flat.max())
        if not (math.isfinite(low) and math.isfinite(high)):  # NaN is the least and the greatest
            raise ValueError("values that are not finite")
        self.low = min(low, self.low) if self.total else low
        self.high = max(high, self.high) if self.total else high
        self.total += flat.size
        self._widen(max(-low, high))
        if not self.width:
            self.zeros += flat.size
            return
        places = np.floor(flat * (1 / self.width)).astype(np.int64)
        np.clip(places, -_HALF, _HALF - 1, out=places)
        self.counts += np.bincount(places + _HALF, minlength=BINS)
        zeros = flat.size - int(np.count_nonzero(flat))
        self.counts[_HALF] -= zeros
        self.zeros += zeros
        self.squares += float(np.dot(flat, flat)) if flat.dtype == np.float64 else _squares(flat)

    def _widen(self, largest: float) -> None:
        """Let the bins reach to this absolute value."""
        if not self.width and largest:
            self.width = max(_LEAST, 2.0 ** math.ceil(math.log2(largest / _HALF)))
        while self.width * _HALF < largest:
            pairs = self.counts.reshape(-1, 2).sum(axis=1)
            self.counts[:] = 0
            self.counts[_HALF // 2 : _HALF // 2 * 3] = pairs
            self.width *= 2


def _squares(flat: np.ndarray) -> float:
    """The sum of squares in float64, without a copy of all values in it."""
    step = 1 << 16
    parts = (flat[at : at + step].astype(np.float64) for at in range(0, flat.size, step))
    return float(sum(float(np.dot(part, part)) for part in parts))
