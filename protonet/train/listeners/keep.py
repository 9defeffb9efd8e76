"""Removal of old snapshots, so that a long training does not fill the disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from protonet.train.events import Event, Snapshotted, Started, Tested
from protonet.train.listeners.metrics import by_name, figure, test_loss

if TYPE_CHECKING:
    from protonet.train.snapshot import Snapshots


class KeepNewest:
    """Removes all snapshots but the newest ``count`` and the best, after each new one.

    Args:
        snapshots: the snapshots of the run.
        count: the number to keep, 1 or more.
        past: returns the iterations of the run's earlier snapshots, which may be removed, and the
            metrics of its earlier tests by iteration; lower is better.
    """

    def __init__(
        self,
        snapshots: Snapshots,
        count: int,
        past: Callable[[], tuple[Sequence[int], Mapping[int, float]]],
    ) -> None:
        self.snapshots, self.count = snapshots, count
        self._past = past
        self._own: set[int] = set()
        self._figures: dict[int, float] = {}

    def __call__(self, event: Event) -> None:
        """Remove old snapshots when a new one is on disk."""
        match event:
            case Started():
                own, figures = self._past()
                self._own, self._figures = set(own), dict(figures)
            case Tested(net=0):
                self._take(event.iteration, figure(by_name(event.outputs), test_loss(event)))
            case Snapshotted():
                self._own.add(event.iteration)
                self._remove()
            case _:
                pass

    def _take(self, iteration: int, value: float | None) -> None:
        """Record a metric; if an iteration is tested twice, the lower one."""
        if value is not None:
            self._figures[iteration] = min(value, self._figures.get(iteration, value))

    def _remove(self) -> None:
        old = sorted(self._own)[: -self.count]
        tested = [(value, each) for each, value in self._figures.items() if each in self._own]
        best = min(tested)[1] if tested else None
        for iteration in old:
            if iteration != best:
                self.snapshots.remove(iteration)
                self._own.discard(iteration)
        # Metrics of removed snapshots are not needed any more.
        newest = max(self._own)
        self._figures = {
            each: value
            for each, value in self._figures.items()
            if each in self._own or each >= newest
        }
