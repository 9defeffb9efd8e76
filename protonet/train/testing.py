"""Tests between iterations: the mean of each output of a net over some batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from protonet.graph.capture import ForwardPass
from protonet.graph.net import Net
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
        self.forward_pass = ForwardPass(net)

    def run(self, iteration: int, stopping: Callable[[], bool]) -> Tested | None:
        """The test, as of this iteration of the training; None when it is to stop meanwhile."""
        found = mean_outputs(
            self.forward_pass, self.iterations, losses=self.losses, stopping=stopping
        )
        if found is None:
            return None
        loss, means = found
        return Tested(iteration, self.index, tuple(means), loss if self.losses else None)


def output_elements(outputs: Iterable[tuple[str, np.ndarray, float]]) -> list[Output]:
    """Each element of outputs, as ``Net.outputs`` gives them."""
    return [
        Output(name, float(element), weight)
        for name, values, weight in outputs
        for element in values.ravel()
    ]


def mean_outputs(
    forward_pass: ForwardPass,
    iterations: int,
    *,
    losses: bool = True,
    watch: Callable[[int, list[Output]], None] | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> tuple[float, list[Output]] | None:
    """The means of the objective, where ``losses`` are asked for, and of every output, over so many
    passes; None when it is to stop meanwhile. ``watch`` is told the outputs of each pass.
    """
    loss, outputs = 0.0, []
    sums: list[np.ndarray] = []
    for index in range(iterations):
        if stopping():
            return None
        forward_pass.run()
        if losses:
            loss += forward_pass.net.loss()
        outputs = forward_pass.net.outputs()
        values = [array.astype(np.float64) for _, array, _ in outputs]
        sums = [a + b for a, b in zip(sums, values, strict=True)] if sums else values
        if watch is not None:
            watch(index, output_elements(outputs))
    means = [
        (name, total / iterations, weight)
        for (name, _, weight), total in zip(outputs, sums, strict=True)
    ]
    return loss / iterations if losses else 0.0, output_elements(means)
