"""The passes of a net without what the host does for them: what a GPU records and repeats."""

from __future__ import annotations

from functools import partial

from protonet.graph.calls import run
from protonet.graph.net import Net
from protonet.recording import Repeated


def repeats(net: Net) -> bool:
    """Whether ``compute`` and ``ask`` queue the same work each time.

    Layers without bottoms must come first: what they bring may lie in memory that a layer before
    them uses too.
    """
    computed = [bool(step.bottoms) for step in net.plan.steps if step.type != "Input"]
    return (
        not net.device.is_cpu
        and computed == sorted(computed)
        and not any(step.dynamic for step in net.plan.steps)
        and all(step.layer.traits.replays for step in net.plan.steps if step.bottoms)
    )


def feed(net: Net) -> None:
    """The part of ``forward`` that brings data from the host: layers without bottoms."""
    for index, calls in net.forward_steps:
        if not net.plan.steps[index].bottoms:
            run(calls)


def compute(net: Net) -> None:
    """The rest of ``forward``, and ``backward``; the pass is counted in the GPU's memory alone."""
    ask(net)
    net.backward()


def ask(net: Net) -> None:
    """The rest of ``forward`` alone; the pass is counted in the GPU's memory alone."""
    for index, calls in net.forward_steps:
        if net.plan.steps[index].bottoms:
            run(calls)
    net.clock.advance()


class Asking:
    """The forward pass of a net, again and again; on a GPU recorded where that is possible."""

    def __init__(self, net: Net) -> None:
        self.net = net
        self._repeated: Repeated | None = None
        if repeats(net):
            self._repeated = Repeated(net.device, partial(ask, net), lambda: net.version)

    @property
    def refusal(self) -> str:
        """Why the pass cannot be recorded; empty where it can, or nobody tried."""
        return self._repeated.refusal if self._repeated is not None else ""

    def forward(self) -> None:
        """What ``Net.forward`` does."""
        if self._repeated is None:
            self.net.forward()
            return
        feed(self.net)
        self._repeated()
        self.net.clock.count()
