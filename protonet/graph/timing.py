"""How long the calls of a net take: ``time`` and ``profile`` are views of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from protonet.graph.calls import Call
from protonet.graph.net import Net

KINDS = ("forward", "backward", "update")


class Span(NamedTuple):
    """One call: what it is of, the index of its step, and when, in seconds.

    ``kind`` is one of ``KINDS``. Where several steps are computed by one call, ``step`` is the
    first of them; gradients of losses and updates have the index past the last step. ``began``
    counts as ``time.perf_counter`` does.
    """

    kind: str
    step: int
    began: float
    seconds: float


def time_iteration(net: Net, update: Callable[[], object] | None = None) -> list[Span]:
    """Run the net forward, and backward where it can, then ``update``; the spans in their order.

    Nothing waits between the calls: on a GPU its own clock tells.
    """
    device = net.device
    device.synchronize()
    origin, start = time.perf_counter(), device.timestamp()
    stamps: list[tuple[str, int, Any, Any]] = []

    def run(kind: str, calls: Iterable[tuple[int, Call]]) -> None:
        for step, (call, arguments) in calls:
            before = device.timestamp()
            call(*arguments)
            stamps.append((kind, step, before, device.timestamp()))

    run("forward", net.walk_forward())
    if net.gradients:
        run("backward", net.walk_backward())
    if update is not None:
        run("update", [(len(net.plan.steps), (update, ()))])
    return [
        Span(
            kind,
            step,
            origin + device.seconds_between(start, before),
            device.seconds_between(before, after),
        )
        for kind, step, before, after in stamps
    ]


def seconds_by_step(spans: Iterable[Span], kind: str, steps: int) -> np.ndarray:
    """The sum of each step's spans of one kind; the last entry is that past the last step."""
    total = np.zeros(steps + 1)
    for span in spans:
        if span.kind == kind:
            total[span.step] += span.seconds
    return total
