"""The forward pass of a net without its host work: what a CUDA graph can capture."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from protonet.graph.calls import run
from protonet.graph.net import Net

if TYPE_CHECKING:
    from protonet.cuda_graph import GraphedCallable


def can_capture(net: Net) -> bool:
    """Whether ``run_forward`` and ``Net.backward`` queue the same work each time.

    Layers without bottoms must come first: their tops may share memory with the tops of earlier
    layers.
    """
    has_bottoms = [bool(step.bottoms) for step in net.plan.steps if step.type != "Input"]
    return (
        not net.device.is_cpu
        and has_bottoms == sorted(has_bottoms)
        and not any(step.dynamic for step in net.plan.steps)
        and all(step.layer.traits.capturable for step in net.plan.steps if step.bottoms)
    )


def run_data_layers(net: Net) -> None:
    """The part of ``forward`` that copies data from the host: layers without bottoms."""
    if net.batch:
        net.fit_batch()
    for index, calls in net.forward_steps:
        if not net.plan.steps[index].bottoms:
            run(calls)


def run_forward(net: Net) -> None:
    """The rest of ``forward``; advances the pass counter on the GPU only."""
    for index, calls in net.forward_steps:
        if net.plan.steps[index].bottoms:
            run(calls)
    net.clock.advance()


class ForwardPass:
    """The forward pass of a net, as a CUDA graph where it can be captured."""

    def __init__(self, net: Net) -> None:
        self.net = net
        self._graphed: GraphedCallable | None = None
        if can_capture(net):
            from protonet.cuda_graph import GraphedCallable  # for GPUs only

            work = partial(run_forward, net)
            self._graphed = GraphedCallable(
                net.device, work, lambda: net.version, lambda: net.batch
            )

    @property
    def capture_error(self) -> str:
        """Why the capture failed; empty if it did not, or was not tried."""
        return self._graphed.capture_error if self._graphed is not None else ""

    def run(self) -> None:
        """Do what ``Net.forward`` does."""
        if self._graphed is None:
            self.net.forward()
            return
        run_data_layers(self.net)
        self._graphed()
        self.net.clock.count()
