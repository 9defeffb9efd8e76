"""Random numbers of one image of a stream, however many of them it draws."""

from __future__ import annotations

import numpy as np

_STREAM = 4
"""Word 3 of the counter: separates this stream from others with the same key."""
_UNIT = 2.0**-53


class ImageRNG:
    """A counter-based generator for image ``index``: a function of ``key`` and ``index`` alone.

    Its numbers depend neither on threads or a resume nor on the version of NumPy: they are made of
    raw words of Philox.

    Args:
        key: two words, of the run and of the layer.
        index: of the image in the stream.
    """

    def __init__(self, key: np.ndarray, index: int) -> None:
        counter = np.array([0, index, 0, _STREAM], np.uint64)
        self._bits = np.random.Philox(key=key, counter=counter)

    def random(self) -> float:
        """A number of [0, 1)."""
        return (int(self._bits.random_raw()) >> 11) * _UNIT

    def uniform(self, low: float, high: float) -> float:
        """A number of [low, high)."""
        return low + (high - low) * self.random()

    def randrange(self, count: int) -> int:
        """An integer of 0 to ``count - 1``."""
        return int(self._bits.random_raw()) % count

    def bernoulli(self, probability: float) -> bool:
        """True with this probability."""
        return self.random() < probability
