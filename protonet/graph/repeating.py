"""The passes of a net without what the host does for them: what a GPU may record and repeat."""

from __future__ import annotations

from protonet.graph.calls import run
from protonet.graph.net import Net


def repeats(net: Net) -> bool:
    """Whether ``compute`` queues the same work each time.

    Layers without bottoms must come first: what they bring may lie in memory that a layer before
    them uses too.
    """
    computed = [bool(step.bottoms) for step in net.plan.steps if step.type != "Input"]
    return (
        not net.device.is_cpu
        and net.gradients
        and computed == sorted(computed)
        and not any(step.layer.dynamic for step in net.plan.steps)
        and all(step.layer.replays for step in net.plan.steps if step.bottoms)
    )


def feed(net: Net) -> None:
    """The part of ``forward`` that brings data from the host: layers without bottoms."""
    for index, calls in net.forward_steps:
        if not net.plan.steps[index].bottoms:
            run(calls)


def compute(net: Net) -> None:
    """The rest of ``forward``, and ``backward``; the pass is counted in the GPU's memory alone."""
    for index, calls in net.forward_steps:
        if net.plan.steps[index].bottoms:
            run(calls)
    net.clock.advance()
    net.backward()
