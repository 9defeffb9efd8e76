"""The means of a net's outputs over a whole set, each record once, or over some batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from protonet.graph.net import Net
from protonet.graph.plan import Plan
from protonet.jobs.evaluation.outputs import average_outputs
from protonet.jobs.evaluation.regression import VectorCollector, VectorReport, vector_losses
from protonet.jobs.inference.open_net import Opening, open_net
from protonet.jobs.inference.weights import Tell
from protonet.layers.inputs import Data
from protonet.proto.text import NetDefinition
from protonet.train.events import Output

Opener = Callable[[int | None], Net]
"""Gives the net anew, for batches of so many items; None for as many as its text says."""

Show = Callable[[int, list[Output]], None]
"""Told of the outputs of each batch."""


def opener(model: Path | NetDefinition, wanted: Opening, tell: Tell | None) -> Opener:
    """Opens a net for ``average_set``, which looks at the bottoms of losses over vectors.

    ``tell`` hears what ``open_net`` has to tell, of the net as its text says it.
    """

    def opened(batch_size: int | None) -> Net:
        return open_net(
            model,
            replace(wanted, batch_size=batch_size),
            looked_at=lambda plan: bool(vector_losses(plan)),
            tell=tell if batch_size is None else None,
        )

    return opened


@dataclass(frozen=True)
class Averages:
    """Means of the objective and of each output, what is said of vectors, and over how many
    records, where each counts once.
    """

    loss: float
    outputs: Sequence[Output]
    reports: Sequence[VectorReport]
    length: int | None


@dataclass(frozen=True)
class WholeSet:
    """What it takes to see each of ``length`` records once: full batches, and a rest."""

    length: int
    batch_size: int

    @property
    def batches(self) -> int:
        """How many are full."""
        return self.length // self.batch_size

    @property
    def rest(self) -> int:
        """The records of the last batch, where it is not full."""
        return self.length % self.batch_size

    @staticmethod
    def of(plan: Plan) -> WholeSet | None:
        """The records of the net's databases; None where it has none, or of several lengths."""
        layers = [step.layer for step in plan.steps if isinstance(step.layer, Data)]
        found = {(layer.length, layer.batch_size) for layer in layers}
        return WholeSet(*found.pop()) if len(found) == 1 else None

    def go_to_rest(self, net: Net) -> None:
        """Let a net whose batches are of the rest begin behind the full ones."""
        state = net.state()
        for step in net.plan.steps:
            if isinstance(step.layer, Data):
                state["layers"][step.name] = {"position": self.batches * self.batch_size}
        net.restore(state)

    def mean(
        self, full: tuple[float, list[Output]], last: tuple[float, list[Output]]
    ) -> tuple[float, list[Output]]:
        """The means over all records, from those of the full batches and that of the rest."""
        share = self.rest / self.length

        def mixed(value: float, other: float) -> float:
            return (1 - share) * value + share * other

        outputs = [
            replace(one, value=mixed(one.value, other.value))
            for one, other in zip(full[1], last[1], strict=True)
        ]
        return mixed(full[0], last[0]), outputs


def average_set(opened: Opener, batches: int, show: Show, *, once: bool) -> Averages:
    """Average a net's outputs over so many batches; with ``once``, over each record of its
    databases once, where they have one length.

    Raises:
        UsageError: for less than one iteration.
    """
    net = opened(None)
    collector = VectorCollector(net)

    def told(first: int) -> Show:
        def take(index: int, outputs: list[Output]) -> None:
            collector.take()
            show(first + index, outputs)

        return take

    try:
        whole = WholeSet.of(net.plan) if once else None
        if whole is not None and whole.batches:
            batches = whole.batches
        if whole is not None and not whole.batches:
            net.close()
            net = opened(whole.rest)
            collector.turn_to(net)
            whole, batches = WholeSet(whole.length, whole.length), 1
        found = average_outputs(net, batches, told(0))
    finally:
        net.close()
    if whole is not None and whole.rest:
        last = opened(whole.rest)
        try:
            whole.go_to_rest(last)
            collector.turn_to(last)
            found = whole.mean(found, average_outputs(last, 1, told(batches)))
        finally:
            last.close()
    return Averages(*found, collector.reports(), None if whole is None else whole.length)
