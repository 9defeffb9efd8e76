"""Forward and backward times of each layer, as ``caffe time`` measures them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from protonet.errors import UsageError
from protonet.graph.cost import arithmetic, traffic
from protonet.graph.net import Net
from protonet.graph.timing import Span, seconds_by_step, time_iteration


@dataclass(frozen=True)
class LayerTime:
    """Mean seconds of one layer, and the arithmetic and memory traffic of its forward pass."""

    name: str
    type: str
    forward: float
    backward: float
    arithmetic: int
    traffic: int


@dataclass(frozen=True)
class Timing:
    """The layers, and mean seconds of whole passes."""

    layers: tuple[LayerTime, ...]
    forward: float
    backward: float
    iterations: int


def time_net(net: Net, iterations: int) -> Timing:
    """Run the net ``iterations`` times, layer by layer, after a warm-up pass.

    Raises:
        UsageError: for less than one iteration.
    """
    if iterations < 1:
        raise UsageError(f"expected 1 iteration or more, got {iterations}")
    steps = net.plan.steps
    time_iteration(net)
    forward, backward = np.zeros(len(steps) + 1), np.zeros(len(steps) + 1)
    whole = np.zeros(2)
    for _ in range(iterations):
        spans = time_iteration(net)
        forward += seconds_by_step(spans, "forward", len(steps))
        backward += seconds_by_step(spans, "backward", len(steps))
        whole += [_extent(spans, kind) for kind in ("forward", "backward")]
    layers = tuple(
        LayerTime(
            step.name,
            step.type,
            float(forward[index]) / iterations,
            float(backward[index]) / iterations,
            arithmetic(step),
            traffic(step),
        )
        for index, step in enumerate(steps)
    )
    ahead, back = (float(each) / iterations for each in whole)
    return Timing(layers, ahead, back, iterations)


def _extent(spans: Sequence[Span], kind: str) -> float:
    """From the start of the first span of a kind to the end of the last."""
    found = [span for span in spans if span.kind == kind]
    return found[-1].began + found[-1].seconds - found[0].began if found else 0.0
