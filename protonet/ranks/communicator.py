"""What one rank of a training knows of the others: nothing if it is alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from protonet.errors import UsageError

if TYPE_CHECKING:
    from protonet.device import Device

NO_EXCHANGE = "these ranks send gradients as float32 only: leave the gradient precision at that"
RESUMABLE = "all ranks were stopped: --resume continues from the newest snapshot"
"""The end of messages about a rank that was lost."""


@dataclass(frozen=True)
class Part:
    """The items of every batch that a rank computes: ``count`` of ``whole``, from ``first`` on,
    every ``step``-th. Of a batch with fewer items than ranks, all of them are computed by all
    ``copies`` ranks, and each counts so much less.
    """

    first: int
    count: int
    whole: int
    step: int = 1
    copies: int = 1

    @property
    def places(self) -> slice:
        """Its items among those of the whole batch."""
        return slice(self.first, self.first + self.count * self.step, self.step)

    @property
    def share(self) -> float:
        """Its weight in a mean over the whole batch."""
        return self.count / (self.whole * self.copies)

    @property
    def fraction(self) -> float:
        """How much of the whole batch it is."""
        return self.count / self.whole


class Pending(Protocol):
    """A sum, or another exchange, that was begun."""

    def progress(self) -> bool:
        """Let it proceed, without waiting; whether it is complete."""

    def wait(self) -> None:
        """Wait until it is complete."""


class _Done:
    """An exchange of one rank."""

    def progress(self) -> bool:
        """It is complete."""
        return True

    def wait(self) -> None:
        """It is complete."""


class Communicator:
    """Rank 0 of 1: every sum is what it was."""

    rank = 0
    size = 1
    host = ""
    sums_at_once: int | None = None
    """How many of a long row of sums to begin before others are complete; None for all."""
    failures: tuple[type[BaseException], ...] = ()
    """Errors of the network between the ranks."""
    capturable = False
    """Whether CUDA graphs can record its sums."""

    @property
    def alone(self) -> bool:
        """Whether there are no other ranks."""
        return self.size == 1

    def on(self, _device: Device) -> Communicator:
        """These ranks for arrays of a device, of which each has its own."""
        return self

    def part(self, whole: int) -> Part:
        """The part of a batch that this rank computes; parts differ by one item at most.

        Raises:
            UsageError: for a batch with fewer items than there are ranks.
        """
        if whole < self.size:
            raise UsageError(
                f"a batch of {whole} cannot be shared out over {self.size} ranks; "
                "use fewer ranks, or a larger batch"
            )
        first, last = (whole * rank // self.size for rank in (self.rank, self.rank + 1))
        return Part(first, last - first, whole)

    def part_of_few(self, whole: int) -> Part:
        """All of a batch, on every rank: of one with fewer items than there are ranks."""
        return Part(0, whole, whole, copies=self.size)

    def part_of_each(self, count: int) -> Part:
        """The part of a batch of ``count`` items for each rank, which are dealt out one by one."""
        return Part(self.rank, count, count * self.size, self.size)

    def sum(self, array: Any) -> None:
        """Replace an array by its sum over all ranks, which is the same on each."""

    def sums(self, values: Sequence[float]) -> Sequence[float]:
        """The sum of each value over all ranks."""
        return values

    def begin_sum(self, _array: Any, /) -> Pending:
        """Begin ``sum``; the array must not be touched until it is complete."""
        return _Done()

    def begin_swap(self, sent: Any, received: Any) -> Pending:
        """Begin to send row i of an array to rank i, where it becomes the row of this rank. Swaps
        begin in the same order on all ranks.

        Raises:
            UsageError: where the ranks cannot.
        """
        if not self.alone:
            raise UsageError(NO_EXCHANGE)
        received[...] = sent
        return _Done()

    def begin_collect(self, sent: Any, received: Any) -> Pending:
        """Begin to send an array to all ranks, where it becomes the row of this rank. Collections
        begin in the same order on all ranks, in any order among swaps and sums.

        Raises:
            UsageError: where the ranks cannot.
        """
        if not self.alone:
            raise UsageError(NO_EXCHANGE)
        received[0] = sent
        return _Done()

    def broadcast(self, value: Any) -> Any:
        """The value of rank 0, on every rank."""
        return value

    def broadcast_array(self, array: Any) -> None:
        """Replace an array by that of rank 0."""

    def gather(self, value: Any) -> Sequence[Any]:
        """The values of all ranks, on every rank."""
        return [value]

    def any_of(self, *flags: bool) -> tuple[bool, ...]:
        """Each flag, true if it is on any rank."""
        return flags

    def send(self, value: Any, rank: int) -> None:
        """Begin to send a value to another rank; messages to one rank arrive in their order."""

    def received(self) -> tuple[int, Any] | None:
        """A value that another rank has sent, and that rank; None if none has arrived."""
        return None

    def watch(self, on_lost: Callable[[str], object], code: int) -> None:
        """From now on call ``on_lost`` with a message, on another thread, when the machine of a
        rank cannot be reached; it ends all. A rank that it does not reach ends with exit code
        ``code``.
        """

    def end_all(self, code: int) -> None:
        """End the other ranks at once, and this one, with an exit code."""


ALONE = Communicator()


def alone_on(host: str) -> Communicator:
    """Rank 0 of 1 on a host."""
    made = Communicator()
    made.host = host
    return made
