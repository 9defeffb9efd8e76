"""Exponential moving average of the weights (averaging: Polyak and Juditsky, 1992)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from protonet.formats.caffemodel import read_weights
from protonet.graph.net import Net


class WeightAverage:
    """The moving average of a net's parameters: ``mean = d mean + (1 - d) w``.

    d is ``decay``, but at most (1 + i) / (10 + i) after iteration i, so that a short training
    forgets its initial weights, too (as TensorFlow's ExponentialMovingAverage with num_updates).
    All parameters are averaged, including those of BatchNorm.

    Args:
        net: the net whose parameters are averaged, starting from their current values.
        decay: in [0, 1).
    """

    def __init__(self, net: Net, decay: float) -> None:
        self.net = net
        self.decay = decay
        self._weights = net.store.data
        self._mean = self._weights.copy()
        self._scratch = net.device.xp.empty_like(self._weights)

    def update(self, iteration: int) -> None:
        """Average in the weights after an iteration, counted from 0."""
        xp, mean, scratch = self.net.device.xp, self._mean, self._scratch
        decay = min(self.decay, (1 + iteration) / (10 + iteration))
        xp.subtract(self._weights, mean, scratch)
        xp.multiply(scratch, 1 - decay, scratch)
        xp.add(mean, scratch, mean)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Swap the averages into the net, and into nets that share its parameters, in the block."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def begin(self) -> None:
        """Restart from the net's current weights."""
        self._mean[...] = self._weights

    def restore(self, weights: Mapping[str, Sequence[np.ndarray | None]], source: str) -> None:
        """Restore averages that were saved by layer name.

        Raises:
            FormatError: when they belong to another net.
        """
        with self.in_place():
            self.net.load(weights, source)

    def restore_beside(self, model: Path) -> None:
        """Restore the averages stored next to a file of weights; restart if there are none."""
        stem, dot, ending = model.name.partition(".caffemodel")
        path = model.with_name(f"{stem}.average{dot}{ending}")
        if path.exists():
            self.restore(read_weights(path), str(path))
        else:
            self.begin()

    def _swap(self) -> None:
        self._scratch[...] = self._weights
        self._weights[...] = self._mean
        self._mean[...] = self._scratch
