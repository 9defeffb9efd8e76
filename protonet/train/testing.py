"""Test passes between iterations: the mean of each output of a net over several batches."""

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
        net: the test net.
        iterations: batches of a test.
        losses: whether to compute the mean of the objective, too.
    """

    __test__ = False  # not a test of pytest

    def __init__(self, index: int, net: Net, iterations: int, *, losses: bool) -> None:
        self.index, self.net, self.iterations, self.losses = index, net, iterations, losses
        self.forward_pass = ForwardPass(net)

    def run(self, iteration: int, stopping: Callable[[], bool]) -> Tested | None:
        """Run the test of this iteration; None if ``stopping`` interrupts it."""
        means = mean_outputs(
            self.forward_pass, self.iterations, losses=self.losses, stopping=stopping
        )
        if means is None:
            return None
        loss, outputs = means
        return Tested(iteration, self.index, tuple(outputs), loss if self.losses else None)


def output_elements(outputs: Iterable[tuple[str, np.ndarray, float]]) -> list[Output]:
    """Flatten outputs of ``Net.outputs``: an ``Output`` for each element."""
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
    """The means of the objective (0 without ``losses``) and of every output over ``iterations``
    passes; None if ``stopping`` interrupts them. ``watch`` is called with the outputs of each pass.
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
