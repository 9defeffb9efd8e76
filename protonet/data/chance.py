"""Numbers by chance that belong to one image of a stream, however many of them it takes."""

from __future__ import annotations

import numpy as np

_STREAM = 4
"""Word 3 of the counter: keeps these numbers apart from others of the same key."""
_UNIT = 2.0**-53


class Chance:
    """The numbers of image ``index``: a function of ``key`` and ``index`` alone.

    Neither threads nor a resume change them, nor does the version of NumPy: they are made of raw
    words of Philox.

    Args:
        key: two words, of the run and of the layer.
        index: the place of the image in the stream.
    """

    def __init__(self, key: np.ndarray, index: int) -> None:
        counter = np.array([0, index, 0, _STREAM], np.uint64)
        self._bits = np.random.Philox(key=key, counter=counter)

    def unit(self) -> float:
        """A number from 0 to 1, 1 excluded."""
        return (int(self._bits.random_raw()) >> 11) * _UNIT

    def between(self, low: float, high: float) -> float:
        """A number from ``low`` to ``high``."""
        return low + (high - low) * self.unit()

    def below(self, count: int) -> int:
        """One of 0 to ``count - 1``."""
        return int(self._bits.random_raw()) % count

    def happens(self, probability: float) -> bool:
        """True in a share of ``probability`` of all calls."""
        return self.unit() < probability
