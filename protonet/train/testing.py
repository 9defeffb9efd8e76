"""Tests between iterations: the mean of each output of a net over some batches."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from protonet.graph.net import Net
from protonet.graph.repeating import Asking
from protonet.train.events import Output, Tested


class TestPasses:
    """The passes of one test net.

    Args:
        index: of the net among the test nets.
        net: with the parameters that are tested.
        iterations: how many batches make a test.
        losses: whether the mean of the objective is computed, too.
    """

    __test__ = False  # the name is no test's

    def __init__(self, index: int, net: Net, iterations: int, *, losses: bool) -> None:
        self.index, self.net, self.iterations, self.losses = index, net, iterations, losses
        self.asking = Asking(net)

    def run(self, iteration: int, stopping: Callable[[], bool]) -> Tested | None:
        """The test, as of this iteration of the training; None when it is to stop meanwhile."""
        sums: list[np.ndarray] = []
        names: list[tuple[str, float]] = []
        loss = 0.0
        for _ in range(self.iterations):
            if stopping():
                return None
            self.asking.forward()
            outputs = self.net.outputs()
            names = [(name, weight) for name, _, weight in outputs]
            values = [array.astype(np.float64).ravel() for _, array, _ in outputs]
            sums = [a + b for a, b in zip(sums, values, strict=True)] if sums else values
            if self.losses:
                loss += self.net.loss()
        means = tuple(
            Output(name, float(element) / self.iterations, weight)
            for (name, weight), total in zip(names, sums, strict=True)
            for element in total
        )
        return Tested(iteration, self.index, means, loss / self.iterations if self.losses else None)
