"""Test passes between iterations: the mean of each output of a net over several batches, and
figures that count over all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from protonet.graph.capture import ForwardPass
from protonet.graph.net import Net
from protonet.train.events import Output, Tested
from protonet.train.metrics import meters_of


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
        meters = meters_of(self.net)

        def measure(_: int, __: list[Output]) -> None:
            for meter in meters:
                meter.take(self.net)

        means = mean_outputs(
            self.forward_pass,
            self.iterations,
            losses=self.losses,
            watch=measure if meters else None,
            stopping=stopping,
        )
        if means is None:
            return None
        loss, outputs = means
        outputs += [output for meter in meters for output in meter.outputs()]
        return Tested(iteration, self.index, tuple(outputs), loss if self.losses else None)


def output_elements(outputs: Iterable[tuple[str, np.ndarray, float]]) -> list[Output]:
    """Flatten outputs of ``Net.outputs``: an ``Output`` for each element."""
    return [
        Output(name, float(element), weight)
        for name, values, weight in outputs
        for element in values.ravel()
    ]


class WeightedSum:
    """Sums arrays, element by element. One of a smaller batch has only the first elements."""

    def __init__(self) -> None:
        self._sum = np.zeros(0)
        self._weights = np.zeros(0)

    def add(self, values: np.ndarray, weight: float) -> None:
        """Add ``weight`` times the values."""
        if values.size > self._sum.size:
            more = values.size - self._sum.size
            self._sum, self._weights = (np.pad(a, (0, more)) for a in (self._sum, self._weights))
        self._sum[: values.size] += weight * values.astype(np.float64).ravel()
        self._weights[: values.size] += weight

    def mean(self) -> np.ndarray:
        """The means of all elements, as a vector."""
        return self._sum / self._weights


def mean_outputs(
    forward_pass: ForwardPass,
    iterations: int,
    *,
    losses: bool = True,
    watch: Callable[[int, list[Output]], None] | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> tuple[float, list[Output]] | None:
    """The means of the objective (0 without ``losses``) and of every output over ``iterations``
    passes, weighted by their records where batches differ in size; None if ``stopping`` interrupts
    them. ``watch`` is called with the outputs of each pass.
    """
    loss, records, outputs = 0.0, 0, []
    sums: list[WeightedSum] = []
    for index in range(iterations):
        if stopping():
            return None
        forward_pass.run()
        items = forward_pass.net.items
        records += items
        if losses:
            loss += items * forward_pass.net.loss()
        outputs = forward_pass.net.outputs()
        sums = sums or [WeightedSum() for _ in outputs]
        for total, (_, array, _) in zip(sums, outputs, strict=True):
            total.add(array, items)
        if watch is not None:
            watch(index, output_elements(outputs))
    means = [
        (name, total.mean(), weight) for (name, _, weight), total in zip(outputs, sums, strict=True)
    ]
    return loss / records if losses else 0.0, output_elements(means)
