"""What signals and listeners ask of a training."""

from __future__ import annotations

from protonet.ranks.communicator import Communicator


class Requests:
    """Requests made at any time on any rank; obeyed when all ranks know of them.

    Every rank calls the same methods in the same order.
    """

    def __init__(self, ranks: Communicator) -> None:
        self._ranks = ranks
        self.stop = False
        """Stop, with a snapshot to resume from."""
        self.finish = False
        """End as if ``max_iter`` were reached."""
        self.failed = False
        """End: a file cannot be written."""
        self.snapshot = False
        """Take a snapshot after this iteration."""
        self.stopping = False
        """Whether any rank was told to stop when it was last asked."""
        self.ticks = False
        """Whether it was time to show the loss when ``is_over`` was last asked."""

    def is_over(self, tick: bool) -> bool:
        """Whether any rank was told to stop or to finish, or has failed. ``ticks`` becomes whether
        it is time for a ``tick`` on any rank: their clocks differ.
        """
        told = self._ranks.any_of(self.stop, self.finish, self.failed, tick)
        self.stopping, *others, self.ticks = told
        return self.stopping or any(others)

    def must_stop(self) -> bool:
        """Whether any rank was told to stop."""
        (self.stopping,) = self._ranks.any_of(self.stop)
        return self.stopping

    def takes_snapshot(self) -> bool:
        """Whether any rank was told to take a snapshot; then the request is done."""
        (wanted,) = self._ranks.any_of(self.snapshot)
        self.snapshot = False
        return wanted
