"""Test passes between iterations: the mean of each output of a net over several batches, and
figures that count over all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

import numpy as np

from protonet.graph.capture import ForwardPass
from protonet.graph.net import Net
from protonet.proto.caffe_pb2 import SolverParameter
from protonet.ranks.communicator import ALONE, Communicator
from protonet.train.events import Output, Tested
from protonet.train.metrics import meters_of


class TestPasses:
    """The passes of one test net.

    Args:
        index: of the net among the test nets.
        net: the test net.
        iterations: batches of a test.
        losses: whether to compute the mean of the objective, too.
        solver: how detectors are evaluated; by default as of a solver without settings.
        ranks: share out the batches.

    Raises:
        SolverError: for settings of evaluation that do not exist.
    """

    __test__ = False  # not a test of pytest

    def __init__(
        self,
        index: int,
        net: Net,
        iterations: int,
        *,
        losses: bool,
        solver: SolverParameter | None = None,
        ranks: Communicator = ALONE,
    ) -> None:
        self.index, self.net, self.iterations, self.losses = index, net, iterations, losses
        self.ranks = ranks if net.can_skip else ALONE
        self.forward_pass = ForwardPass(net)
        self._meters = meters_of(net, solver)
        self._measured = frozenset(meter.output for meter in self._meters) - {""}

    def run(self, iteration: int, stopping: Callable[[], bool]) -> Tested | None:
        """Run the test of this iteration; None if ``stopping`` interrupts it."""
        meters = self._meters

        def measure(_: int, __: list[Output]) -> None:
            for meter in meters:
                meter.take(self.net)

        means = mean_outputs(
            self.forward_pass,
            self.iterations,
            losses=self.losses,
            without=self._measured,
            watch=measure if meters else None,
            stopping=stopping,
            ranks=self.ranks,
        )
        counts = [meter.counts() for meter in meters]
        if means is None:
            return None
        everyone = self.ranks.gather(counts) if meters else ()
        measured = [
            output
            for place, meter in enumerate(meters)
            for output in meter.outputs([counted[place] for counted in everyone])
        ]
        loss, outputs = means
        outputs = [*measured, *outputs] if self._measured else [*outputs, *measured]
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

    def join(self, other: WeightedSum) -> None:
        """Add another sum."""
        size = max(self._sum.size, other._sum.size)
        for each in (self, other):
            each._sum, each._weights = (
                np.pad(a, (0, size - a.size)) for a in (each._sum, each._weights)
            )
        self._sum += other._sum
        self._weights += other._weights

    def mean(self) -> np.ndarray:
        """The means of all elements, as a vector."""
        return self._sum / self._weights


@dataclass
class _Totals:
    """Sums over some passes: the objective, the records, and each output with its loss weight."""

    loss: float = 0.0
    records: int = 0
    outputs: list[tuple[str, WeightedSum, float]] = field(default_factory=list)

    def add(self, net: Net, outputs: list[tuple[str, np.ndarray, float]], *, losses: bool) -> None:
        """Add a pass."""
        items = net.items
        self.records += items
        if losses:
            self.loss += items * net.loss()
        self.outputs = self.outputs or [(name, WeightedSum(), w) for name, _, w in outputs]
        for (_, total, _), (_, array, _) in zip(self.outputs, outputs, strict=True):
            total.add(array, items)

    def join(self, other: _Totals) -> None:
        """Add the passes of another rank."""
        self.loss += other.loss
        self.records += other.records
        if not self.outputs or not other.outputs:
            self.outputs = self.outputs or other.outputs
            return
        for (_, total, _), (_, more, _) in zip(self.outputs, other.outputs, strict=True):
            total.join(more)


def mean_outputs(
    forward_pass: ForwardPass,
    iterations: int,
    *,
    losses: bool = True,
    without: Collection[str] = (),
    watch: Callable[[int, list[Output]], None] | None = None,
    stopping: Callable[[], bool] = lambda: False,
    ranks: Communicator = ALONE,
) -> tuple[float, list[Output]] | None:
    """The means of the objective (0 without ``losses``) and of every output over ``iterations``
    passes, weighted by their records where batches differ in size; None if ``stopping`` interrupts
    them. Outputs named in ``without`` are left out. ``watch`` is called with the outputs of each
    pass. ``ranks`` make neighbouring passes each.
    """
    net, totals = forward_pass.net, _Totals()
    first, last = (iterations * rank // ranks.size for rank in (ranks.rank, ranks.rank + 1))
    net.skip(first)
    for turn in range(-(-iterations // ranks.size)):
        if stopping():
            return None
        if turn >= last - first:
            continue
        forward_pass.run()
        outputs = [each for each in net.outputs() if each[0] not in without]
        totals.add(net, outputs, losses=losses)
        if watch is not None:
            watch(turn, output_elements(outputs))
    net.skip(iterations - last)
    if not ranks.alone:
        totals, *others = ranks.gather(totals)
        for other in others:
            totals.join(other)
    means = [(name, total.mean(), weight) for name, total, weight in totals.outputs]
    return totals.loss / totals.records if losses else 0.0, output_elements(means)


def mean_over_ranks(net: Net, ranks: Communicator) -> list[Output]:
    """The outputs of the last pass, averaged over the ranks' parts of the batch."""
    part = net.part
    if ranks.alone or part is None:
        return output_elements(net.outputs())
    outputs = [(name, WeightedSum(), weight) for name, _, weight in net.outputs()]
    for count, arrays in ranks.gather((part.count, [array for _, array, _ in net.outputs()])):
        for (_, total, _), array in zip(outputs, arrays, strict=True):
            total.add(array, count)
    return output_elements((name, total.mean(), weight) for name, total, weight in outputs)
