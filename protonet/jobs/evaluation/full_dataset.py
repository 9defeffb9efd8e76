"""The means of a net's outputs over a whole set, each record once, or over some batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from protonet.graph.net import Net
from protonet.graph.plan import Plan
from protonet.jobs.evaluation.outputs import average_outputs
from protonet.jobs.evaluation.regression import VectorCollector, VectorReport, vector_losses
from protonet.jobs.inference.open_net import NetOptions, open_net
from protonet.jobs.inference.weights import Notify
from protonet.layers.inputs import Data
from protonet.proto.text import NetDefinition
from protonet.train.events import Output

Opener = Callable[[int | None], Net]
"""Gives the net anew, for batches of so many items; None for as many as its text says."""

Show = Callable[[int, list[Output]], None]
"""Told of the outputs of each batch."""


def opener(model: Path | NetDefinition, options: NetOptions, notify: Notify | None) -> Opener:
    """Opens a net for ``average_set``, which looks at the bottoms of losses over vectors.

    ``notify`` hears what ``open_net`` has to notify, of the net as its text says it.
    """

    def opened(batch_size: int | None) -> Net:
        return open_net(
            model,
            replace(options, batch_size=batch_size),
            reads_inner_blobs=lambda plan: bool(vector_losses(plan)),
            notify=notify if batch_size is None else None,
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
class FullDataset:
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
    def of(plan: Plan) -> FullDataset | None:
        """The records of the net's databases; None where it has none, or of several lengths."""
        layers = [step.layer for step in plan.steps if isinstance(step.layer, Data)]
        found = {(layer.length, layer.batch_size) for layer in layers}
        return FullDataset(*found.pop()) if len(found) == 1 else None

    def seek_to_remainder(self, net: Net) -> None:
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
        whole = FullDataset.of(net.plan) if once else None
        if whole is not None and whole.batches:
            batches = whole.batches
        if whole is not None and not whole.batches:
            net.close()
            net = opened(whole.rest)
            collector.switch_to(net)
            whole, batches = FullDataset(whole.length, whole.length), 1
        found = average_outputs(net, batches, told(0))
    finally:
        net.close()
    if whole is not None and whole.rest:
        last = opened(whole.rest)
        try:
            whole.seek_to_remainder(last)
            collector.switch_to(last)
            found = whole.mean(found, average_outputs(last, 1, told(batches)))
        finally:
            last.close()
    return Averages(*found, collector.reports(), None if whole is None else whole.length)
