"""Old snapshots go, so that a long training does not fill the disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from protonet.train.events import Event, Snapshotted, Started, Tested
from protonet.train.listeners.metrics import by_name, figure, test_loss

if TYPE_CHECKING:
    from protonet.train.snapshot import Snapshots


class KeepNewest:
    """Removes snapshots after each new one, but for the newest ``count`` and the best.

    Args:
        snapshots: where they are.
        count: how many stay, 1 or more.
        past: of one's own run before this training: the iterations of its snapshots, which may be
            removed, and the figures of its tests by iteration, of which less is better.
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
        """Remove what is too many, once a snapshot is on disk."""
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
        """The lower figure counts, where an iteration was tested twice."""
        if value is not None:
            self._figures[iteration] = min(value, self._figures.get(iteration, value))

    def _remove(self) -> None:
        old = sorted(self._own)[: -self.count]
        tested = [(value, each) for each, value in self._figures.items() if each in self._own]
        kept = min(tested)[1] if tested else None
        for iteration in old:
            if iteration != kept:
                self.snapshots.remove(iteration)
                self._own.discard(iteration)
        # Of what is gone no figure counts again, however long the training is.
        newest = max(self._own)
        self._figures = {
            each: value
            for each, value in self._figures.items()
            if each in self._own or each >= newest
        }
