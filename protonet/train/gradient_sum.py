"""The sum of the gradients over all ranks, while the backward pass goes on."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from protonet.graph.calls import run
from protonet.graph.net import Net
from protonet.precision import is_low_precision
from protonet.ranks.communicator import Communicator, Pending
from protonet.train.compressed_sum import CompressedSums

_BUCKET = 2**20
"""Bytes of gradients from which a sum is begun: shorter ones cost more than they hide."""


class GradientSum:
    """Sums the gradients of a net's parameters over the ranks.

    The gradients lie in one flat array, and the backward pass completes them from the last layer to
    the first. Whenever a bucket of neighbours is complete its sum is due; between the steps of the
    backward pass the sums proceed, as many at once as the ranks want. In a ``dtype`` of 16 bits,
    the messages are ``CompressedSums``.
    """

    def __init__(self, net: Net, ranks: Communicator, dtype: Any = np.float32) -> None:
        self.net, self.ranks = net, ranks
        compressed = None
        if is_low_precision(dtype):
            compressed = CompressedSums(ranks, net.device, dtype)
        self._begin = ranks.begin_sum if compressed is None else compressed.begin_sum
        self._ready: deque[slice] = deque()
        self._running: deque[Pending] = deque()
        self._due: dict[int, list[slice]] = {}
        for step, place in buckets(net):
            few = ranks.sums_at_once is not None
            parts = pieces(place, _BUCKET // net.store.diff.itemsize) if few else [place]
            self._due.setdefault(step, []).extend(parts)

    def backward(self) -> None:
        """The backward pass, and the sums of what it completes."""
        for step, calls in self.net.backward_steps:
            run(calls)
            self._ready.extend(self._due.get(step, ()))
            self._proceed()

    def begin_all(self) -> None:
        """Begin the sums after the backward pass, in the order of ``backward``."""
        for step, _ in self.net.backward_steps:
            self._ready.extend(self._due.get(step, ()))
        self._proceed()

    def wait(self) -> None:
        """Wait for the sums."""
        while self._running:
            self._running.popleft().wait()
            self._begin_some()

    def _proceed(self) -> None:
        """Let sums proceed, and begin others in place of those that are complete."""
        running = self._running
        for each in running:
            each.progress()
        while running and running[0].progress():
            running.popleft().wait()
        self._begin_some()

    def _begin_some(self) -> None:
        ready, most = self._ready, self.ranks.sums_at_once
        while ready and (most is None or len(self._running) < most):
            self._running.append(self._begin(self.net.store.diff[ready.popleft()]))


def pieces(place: slice, size: int) -> list[slice]:
    """Equal parts of a slice, of ``size`` elements at least."""
    length = place.stop - place.start
    count = max(1, length // size)
    ends = [place.start + length * each // count for each in range(count + 1)]
    return [slice(*each) for each in pairwise(ends)]


def buckets(net: Net, size: int = _BUCKET) -> Iterator[tuple[int, slice]]:
    """Parts of the flat gradients, each with the step whose backward pass completes it."""
    store = net.store
    first_run, completing = _completing(net)
    for group in store.groups:
        stop, step = group.stop, first_run
        inside = [
            at for at, place in store.places.items() if group.start <= place.start < group.stop
        ]
        for at in reversed(inside):
            step = min(step, completing.get(id(store.params[at]), first_run))
            start = store.places[at].start
            if (stop - start) * store.diff.itemsize >= size or at == inside[0]:
                yield step, slice(start, stop)
                stop, step = start, first_run


def _completing(net: Net) -> tuple[int, dict[int, int]]:
    """The first step of the backward pass, and for each parameter the one that completes its
    gradient: of the first layer that has it, or of the layer which that one is fused into.
    """
    running = [index for index, _ in net.backward_steps]
    found: dict[int, int] = {}
    for index, (step, layer) in enumerate(zip(net.plan.steps, net.layers, strict=True)):
        at = index if step.absorbed_by is None else step.absorbed_by
        if at in running:
            for param in layer.params:
                key = id(param.owner or param)
                found[key] = min(at, found.get(key, at))
    return running[0], found
