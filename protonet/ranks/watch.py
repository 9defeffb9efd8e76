"""A watch over the machines of a training: whether each can still be reached.

mpiexec ends all ranks when one of them ends. It notices nothing when a machine or the network
between machines fails, and MPI then waits for ever. So neighbouring ranks, and the first ranks of
all machines, tell each other, once a second and through MPI, that they run. A rank that is busy or
slow still tells: a thread does it.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from protonet.errors import UsageError

if TYPE_CHECKING:
    from mpi4py import MPI

PATIENCE = 20.0
"""Seconds of silence after which a machine counts as lost."""
VARIABLE = "PROTONET_RANK_TIMEOUT"
"""Environment variable with other seconds."""

_TELLING = 1.0
"""Seconds between messages, where the patience is long enough."""
_SAME_LOSS = 1.0
"""Seconds that other ranks wait: a loss that rank 0 notices too is told by rank 0, and by the
first of two that have lost each other."""
_RUNS, _LEAVES = -1, -2
"""Words of the messages; others are the rank of whose loss they tell."""


def patience(environment: Mapping[str, str] = os.environ) -> float:
    """Seconds of silence after which a machine counts as lost.

    Raises:
        UsageError: when the variable has no positive number.
    """
    text = environment.get(VARIABLE, "")
    if not text:
        return PATIENCE
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise UsageError(f"{VARIABLE} is '{text}'; it is a number of seconds, such as 60")
    return seconds


class _Neighbour:
    """A rank with which messages are exchanged; ``far`` if it is on another machine."""

    def __init__(self, comm: MPI.Intracomm, rank: int, *, far: bool) -> None:
        self.rank, self.far = rank, far
        self.heard = time.monotonic()
        self.left = False
        self._comm = comm
        self._word = array("i", [0])
        self._receiving = comm.Irecv(self._word, rank)
        self._sending: list[MPI.Request] = []

    def tell(self, word: int) -> None:
        """Send a word. That this rank runs is not told again while messages are on their way."""
        self._sending = [each for each in self._sending if not each.Test()]
        if word != _RUNS or not self._sending:
            self._sending.append(self._comm.Isend(array("i", [word]), self.rank))

    def words(self) -> Iterator[int]:
        """The words that have come since the last call."""
        while not self.left and self._receiving.Test():
            self.heard = time.monotonic()
            word = self._word[0]
            self.left = word == _LEAVES
            if not self.left:
                self._receiving = self._comm.Irecv(self._word, self.rank)
            yield word

    def silence(self) -> float:
        """Seconds since a word came; of a rank that must not tell any more none."""
        return time.monotonic() - self.heard if self.far and not self.left else 0.0


class Watch:
    """Exchanges messages with the two neighbours of a rank, on a thread, until ``leave``. The first
    ranks of all machines are neighbours, too: a sum may need the link between any two of them.

    Args:
        comm: a communicator that nothing else uses.
        hosts: the machine of each rank.
        on_lost: called on the thread with a message, when a neighbour's machine is lost.
        on_told: called on the thread when another rank has told of a loss.
        patience: seconds of silence.
    """

    def __init__(
        self,
        comm: MPI.Intracomm,
        hosts: Sequence[str],
        on_lost: Callable[[str], object],
        on_told: Callable[[], object],
        patience: float = PATIENCE,
    ) -> None:
        rank, size = comm.rank, len(hosts)
        self._rank, self._hosts, self._patience = rank, hosts, patience
        self._on_lost, self._on_told = on_lost, on_told
        others, firsts = {(rank - 1) % size, (rank + 1) % size}, set(map(hosts.index, hosts))
        if rank in firsts:
            others |= firsts - {rank}
        self._neighbours = [
            _Neighbour(comm, other, far=hosts[other] != hosts[rank]) for other in sorted(others)
        ]
        self._every = min(_TELLING, patience / 10)
        self._leaving = threading.Event()
        self._left = False
        self._thread = threading.Thread(target=self._run, daemon=True, name="watch")
        self._thread.start()

    def leave(self) -> None:
        """Tell the neighbours that this rank is done, and watch until they are."""
        self._leaving.set()
        self._thread.join()

    def _run(self) -> None:
        last = time.monotonic()
        while not (self._left and all(each.left for each in self._neighbours)):
            if self._left:
                time.sleep(self._every / 10)
            else:
                self._leaving.wait(self._every)
            now = time.monotonic()
            for each in self._neighbours:
                # While this process itself was stopped, it could not hear.
                each.heard += max(0.0, now - last - 2 * self._every)
            last = now
            if self._hears_of_loss():
                return
            self._tell()

    def _hears_of_loss(self) -> bool:
        """Hear the neighbours; end if a machine is lost."""
        for each in self._neighbours:
            for word in each.words():
                if word >= 0:
                    self._pass_on(word)
                    time.sleep(2 * _SAME_LOSS)
                    self._on_told()
                    return True
        for each in self._neighbours:
            if each.silence() > self._patience:
                self._lose(each.rank)
                return True
        return False

    def _tell(self) -> None:
        """Tell the neighbours that this rank runs; or once that it leaves."""
        leaves = self._leaving.is_set()
        if not self._left:
            for each in self._neighbours:
                each.tell(_LEAVES if leaves else _RUNS)
        self._left = leaves

    def _lose(self, rank: int) -> None:
        self._pass_on(rank)
        if self._rank:
            time.sleep(_SAME_LOSS * (1 if self._rank < rank else 2))
        self._on_lost(
            f"rank {rank} on {self._hosts[rank]} cannot be reached: nothing was heard of it for "
            f"{self._patience:g} seconds"
        )

    def _pass_on(self, lost: int) -> None:
        for each in self._neighbours:
            if not each.left and each.rank != lost:
                each.tell(lost)


def watch_machines(
    comm: MPI.Intracomm,
    hosts: Sequence[str],
    on_lost: Callable[[str], object],
    on_told: Callable[[], object],
) -> Watch | None:
    """Watch until this process exits; every rank must call it. None where there is one machine, or
    an MPI that only one thread may call.
    """
    from mpi4py import MPI

    seconds = patience()
    if len(set(hosts)) == 1 or MPI.Query_thread() < MPI.THREAD_MULTIPLE:
        return None
    watch = Watch(comm.Dup(), hosts, on_lost, on_told, seconds)
    atexit.register(watch.leave)  # before MPI_Finalize
    return watch
