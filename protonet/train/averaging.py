"""Weights averaged over a training (Polyak and Juditsky, 1992), exponentially."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from protonet.formats.caffemodel import read_weights
from protonet.graph.net import Net


class WeightAverage:
    """The running mean of a net's parameters: ``mean = d mean + (1 - d) w``.

    d is ``decay``, and less in the beginning: (1 + i) / (10 + i) after iteration i, so that a
    short training forgets its first weights too (as TensorFlow's ExponentialMovingAverage does
    where it is given the number of updates). All parameters are averaged, those of BatchNorm too.

    Args:
        net: whose parameters, and where the averages begin.
        decay: in [0, 1).
    """

    def __init__(self, net: Net, decay: float) -> None:
        self.net = net
        self.decay = decay
        self._weights = net.store.data
        self._mean = self._weights.copy()
        self._scratch = net.device.xp.empty_like(self._weights)

    def update(self, iteration: int) -> None:
        """Take up the weights after an iteration, counted from 0."""
        xp, mean, scratch = self.net.device.xp, self._mean, self._scratch
        decay = min(self.decay, (1 + iteration) / (10 + iteration))
        xp.subtract(self._weights, mean, scratch)
        xp.multiply(scratch, 1 - decay, scratch)
        xp.add(mean, scratch, mean)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Let the net, and those that share its parameters, hold the averages for a while."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def begin(self) -> None:
        """Begin anew with the net's present weights."""
        self._mean[...] = self._weights

    def restore(self, weights: Mapping[str, Sequence[np.ndarray | None]], source: str) -> None:
        """Take up averages that were saved by layer name.

        Raises:
            FormatError: when they are of another net.
        """
        with self.in_place():
            self.net.load(weights, source)

    def restore_beside(self, model: Path) -> None:
        """Take up the averages beside a file of weights; begin anew where there are none."""
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
