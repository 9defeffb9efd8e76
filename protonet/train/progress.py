"""Progress events of a training: displays, ticks between them, failed CUDA graph captures."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence

from protonet.graph.net import Net
from protonet.graph.operations import part_of
from protonet.ranks.communicator import Communicator
from protonet.train.events import Event, Iterated, Output, Sharing, Ticked, Warned

_TICK_SECONDS = 0.1


class Progress:
    """Emits the progress events of a training."""

    def __init__(self, emit: Callable[[Event], None], sharing: Sharing | None = None) -> None:
        self._emit, self.sharing = emit, sharing
        self._displayed = (0, 0.0)
        self._capture_errors: frozenset[str] = frozenset()
        self.last_tick = 0.0

    def begin(self, iteration: int) -> None:
        """Start counting the iterations and seconds of the first display."""
        self._displayed = (iteration, time.perf_counter())

    def tick_is_due(self) -> bool:
        """Whether enough time has passed for another tick."""
        return time.perf_counter() - self.last_tick > _TICK_SECONDS

    def tick(self, iteration: int, loss: float) -> None:
        """Emit the loss between displays."""
        self.last_tick = time.perf_counter()
        self._emit(Ticked(iteration, loss))

    def display(self, iteration: int, loss: float, rate: float, outputs: Sequence[Output]) -> None:
        """Emit the outputs, and the iterations and seconds since the last display."""
        then, clock = self._displayed
        now = time.perf_counter()
        self._displayed = (iteration, now)
        self.last_tick = now
        since = (iteration - then, now - clock)
        self._emit(Iterated(iteration, loss, rate, tuple(outputs), *since, self.sharing))

    def report_capture_errors(self, iteration: int, capture_errors: Collection[str]) -> None:
        """Warn once of each part that cannot be captured as a CUDA graph."""
        errors = frozenset(capture_errors) - {""}
        for reason in sorted(errors - self._capture_errors):
            message = "part of the iteration cannot be captured as a CUDA graph and runs eagerly"
            self._emit(Warned(iteration, f"{message}: {reason}"))
        self._capture_errors = errors


def sharing_of(net: Net, ranks: Communicator, passes: int) -> Sharing | None:
    """How ranks share out iterations of a train net; None for one rank."""
    part = part_of(net.plan)
    if part is None:
        return None
    each = part.count if part.step > 1 else None
    return Sharing(ranks.size, passes * part.whole, part.whole, each)
