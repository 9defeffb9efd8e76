"""Old snapshots go, so that a long training does not fill the disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from protonet.train.events import Event, Snapshotted

if TYPE_CHECKING:
    from protonet.train.snapshot import Snapshots


class KeepNewest:
    """Removes snapshots after each new one, but for the newest ``count`` and the best.

    Args:
        snapshots: where they are.
        count: how many stay, 1 or more.
        iterations: the iterations of the snapshots that may be removed: those of one's own run.
        best: given these iterations, the one whose snapshot stays whatever its age.
    """

    def __init__(
        self,
        snapshots: Snapshots,
        count: int,
        iterations: Callable[[], Sequence[int]],
        best: Callable[[Sequence[int]], int],
    ) -> None:
        self.snapshots, self.count = snapshots, count
        self._iterations, self._best = iterations, best

    def __call__(self, event: Event) -> None:
        """Remove what is too many, once a snapshot is on disk."""
        if not isinstance(event, Snapshotted):
            return
        complete = sorted(self._iterations())
        old = complete[: -self.count]
        if not old:
            return
        kept = self._best(complete)
        for iteration in old:
            if iteration != kept:
                self.snapshots.remove(iteration)
