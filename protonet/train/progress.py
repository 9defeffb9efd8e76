"""What is told while iterations go by: displays, ticks between them, and what is not recorded."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from protonet.graph.net import Net
from protonet.train.events import Event, Iterated, Ticked, Warned
from protonet.train.testing import listed

_TICK_SECONDS = 0.1


class Progress:
    """Tells of the iterations of a training; ``emit`` passes events on."""

    def __init__(self, emit: Callable[[Event], None]) -> None:
        self._emit = emit
        self._displayed = (0, 0.0)
        self._refused: frozenset[str] = frozenset()
        self.ticked = 0.0

    def begin(self, iteration: int) -> None:
        """Count iterations and seconds of the first display from here."""
        self._displayed = (iteration, time.perf_counter())

    def tick_is_due(self, clock: float) -> bool:
        """Whether so much time went by that a tick is told."""
        return clock - self.ticked > _TICK_SECONDS

    def tick(self, iteration: int, loss: float, clock: float) -> None:
        """Tell the loss between displays."""
        self.ticked = clock
        self._emit(Ticked(iteration, loss))

    def display(self, iteration: int, loss: float, rate: float, net: Net) -> None:
        """Tell the outputs, and how long it took since the last time."""
        outputs = tuple(listed(net.outputs()))
        then, clock = self._displayed
        now = time.perf_counter()
        self._displayed = (iteration, now)
        self.ticked = now
        self._emit(Iterated(iteration, loss, rate, outputs, iteration - then, now - clock))

    def tell_refusals(self, iteration: int, refusals: Collection[str]) -> None:
        """Say once why a GPU is given every call anew."""
        refused = frozenset(refusals) - {""}
        for reason in sorted(refused - self._refused):
            told = "is not recorded as a CUDA graph, and goes on call by call"
            self._emit(Warned(iteration, f"a part of the iteration {told}: {reason}"))
        self._refused = refused
