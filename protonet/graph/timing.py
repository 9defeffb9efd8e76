"""Timing of the calls of a net, for ``time`` and ``profile``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from protonet.graph.net import Net
from protonet.kernels.kernel import Call

KINDS = ("forward", "backward", "update")


class Span(NamedTuple):
    """One timed call: its kind, the index of its step, its start and its duration in seconds.

    ``kind`` is one of ``KINDS``. Where one call computes several steps, ``step`` is the first of
    them; gradients of losses and updates have the index past the last step. ``began`` is a time of
    ``time.perf_counter``.
    """

    kind: str
    step: int
    began: float
    seconds: float


def time_iteration(net: Net, update: Callable[[], object] | None = None) -> list[Span]:
    """Run the net forward, backward if it has gradients, then ``update``; the spans in order.

    There is no synchronization between the calls: on a GPU, events time them.
    """
    device = net.device
    device.synchronize()
    origin, start = time.perf_counter(), device.timestamp()
    events: list[tuple[str, int, Any, Any]] = []

    def run(kind: str, calls: Iterable[tuple[int, Call]]) -> None:
        for step, (call, arguments) in calls:
            before = device.timestamp()
            call(*arguments)
            events.append((kind, step, before, device.timestamp()))

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
        for kind, step, before, after in events
    ]


def seconds_by_step(spans: Iterable[Span], kind: str, steps: int) -> np.ndarray:
    """The sum of each step's spans of one kind; the last entry is past the last step."""
    total = np.zeros(steps + 1)
    for span in spans:
        if span.kind == kind:
            total[span.step] += span.seconds
    return total
