"""The order in which records are delivered, epoch by epoch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

_STREAM = 2
"""Word 3 of the counter: separates this stream from others with the same seed."""


class IndexSampler:
    """Sequential order, as in Caffe; with ``shuffle`` a new permutation for each epoch.

    A permutation depends on the seed, the epoch and the number of records only, so that paired
    sets shuffle alike. Thread-safe.
    """

    def __init__(self, length: int, *, shuffle: bool = False, seed: int = 0) -> None:
        self.length = length
        self.shuffle = shuffle
        self._seed = seed % 2**64
        self._permuted: dict[int, np.ndarray] = {}

    def indices(self, start: int, count: int) -> np.ndarray:
        """The records at positions ``start`` to ``start + count - 1`` of the stream."""
        return np.concatenate(list(self._spans(start, count)))

    def _spans(self, start: int, left: int) -> Iterator[np.ndarray]:
        """Epoch by epoch."""
        while left:
            epoch, row = divmod(start, self.length)
            span = min(left, self.length - row)
            if self.shuffle:
                yield self._permutation(epoch)[row : row + span]
            else:
                yield np.arange(row, row + span)
            start += span
            left -= span

    def _permutation(self, epoch: int) -> np.ndarray:
        """The order of an epoch: the ranks of random words, which no NumPy version changes."""
        order = self._permuted.get(epoch)
        if order is None:
            key = np.array([self._seed, self.length], np.uint64)
            bits = np.random.Philox(key=key, counter=np.array([0, 0, epoch, _STREAM], np.uint64))
            order = np.argsort(bits.random_raw(self.length), kind="stable")
            # Replaced, not mutated: other threads read it. A batch may span two epochs.
            last = {each: old for each, old in self._permuted.items() if each == epoch - 1}
            self._permuted = last | {epoch: order}
        return order
