"""Work that rank 0 hands out to all ranks; the results come in the order of one rank."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from protonet.errors import DataError, ProtonetError
from protonet.ranks.communicator import ALONE, Communicator

Item = TypeVar("Item")
Result = TypeVar("Result")

Start = Callable[[], AbstractContextManager[Callable[[Item], Result]]]
"""Opens what a function of items needs, on the rank that calls it. Sent to the others, pickled."""

_GROUP_SECONDS = 0.02
"""How long a rank works for one answer."""
_LARGEST_GROUP = 32
_AT_ONCE = 2
"""Groups that a rank has: one it works on, and the next."""
_AHEAD = 4
"""Groups for each rank that may be done before they are asked for: they are kept in memory."""
_SHORTEST_SLEEP, _LONGEST_SLEEP = 5e-5, 2e-3
"""Seconds between looks for a message: waiting inside MPI would keep a core busy."""


@dataclass(frozen=True)
class _Failure:
    """Why there is no result."""

    error: Exception


class _Answer(NamedTuple):
    """The results of a group, up to the first failure."""

    group: int
    results: Sequence[Any]
    seconds_each: float


def opening(function: Callable[[Item], Result]) -> Start[Item, Result]:
    """The start of a function that needs nothing opened."""
    return partial(_as_it_is, function)


@contextmanager
def _as_it_is(function: Callable[[Item], Result]) -> Iterator[Callable[[Item], Result]]:
    yield function


class Pool:
    """The ranks of a command, as rank 0 has them; the others ``serve`` meanwhile."""

    def __init__(self, ranks: Communicator = ALONE) -> None:
        self.ranks = ranks

    def map(self, start: Start[Item, Result], items: Iterable[Item]) -> Iterator[Result]:
        """The results of all items, in their order.

        The function must give the same on every rank. An error of it is raised where its result
        would be, with the rank if it is another: what was before is what one rank would give. After
        an error or an interrupt the pool is of no use.
        """
        if not self.ranks.alone:
            yield from _Sharing(self.ranks, start, items).results()
            return
        with start() as function:
            for item in items:
                yield function(item)

    def close(self) -> None:
        """Let the other ranks go."""
        for rank in range(1, self.ranks.size):
            self.ranks.send(None, rank)
        self.ranks.broadcast(None)  # they have received it


IN_TURN = Pool()
"""One rank: one item after the other."""


def serve(ranks: Communicator) -> None:
    """Work for the pool of rank 0 until that is closed."""
    while (start := _wait(ranks)[1]) is not None:
        with ExitStack() as stack:
            function = _opened(stack, start)
            while (group := _wait(ranks)[1]) is not None:
                number, items = group
                begun = time.monotonic()
                results = _made_elsewhere(function, items, ranks)
                ranks.send(_Answer(number, results, (time.monotonic() - begun) / len(items)), 0)
    ranks.broadcast(None)


class _Sharing:
    """One map. Groups of items are numbered in their order; rank 0 makes some itself."""

    def __init__(
        self, ranks: Communicator, start: Start[Item, Result], items: Iterable[Item]
    ) -> None:
        self._ranks, self._start, self._items = ranks, start, iter(items)
        self._taken = self._given = 0
        self._more = True
        self._size = 1
        self._busy = dict.fromkeys(range(1, ranks.size), 0)
        self._done: dict[int, Sequence[Any]] = {}

    def results(self) -> Iterator[Any]:
        """The results, in the order of the items."""
        with self._start() as function:
            self._send_all(self._start)
            while True:
                self._proceed()
                if self._taken in self._done:
                    group = self._done.pop(self._taken)
                    self._taken += 1
                    yield from map(_result, group)
                elif (own := self._group()) is not None:
                    self._make(function, *own)
                elif self._taken == self._given:
                    break
                else:
                    self._receive(_wait(self._ranks))
            self._send_all(None)

    def _proceed(self) -> None:
        """Take the answers that have come, and give work to ranks that will need some."""
        while (answer := self._ranks.received()) is not None:
            self._receive(answer)
        for rank in sorted(self._busy, key=self._busy.__getitem__):
            while self._busy[rank] < _AT_ONCE and (group := self._group()) is not None:
                self._busy[rank] += 1
                self._ranks.send(group, rank)

    def _receive(self, answer: tuple[int, _Answer]) -> None:
        rank, (number, results, seconds) = answer
        self._busy[rank] -= 1
        self._finish(number, results, seconds)

    def _make(self, function: Callable[[Any], Any], number: int, items: Sequence[Any]) -> None:
        """Make a group here; the others get work in between."""
        begun, results = time.monotonic(), []
        for item in items:
            results += _made(function, item)
            self._proceed()
        self._finish(number, results, (time.monotonic() - begun) / len(items))

    def _finish(self, number: int, results: Sequence[Any], seconds: float) -> None:
        self._done[number] = results
        size = int(_GROUP_SECONDS / max(seconds, 1e-9))
        self._size = max(1, min(size, _LARGEST_GROUP))

    def _group(self) -> tuple[int, Sequence[Any]] | None:
        """The next group and its number; None if there is none, or enough was done ahead."""
        if not self._more or self._given - self._taken >= _AHEAD * self._ranks.size:
            return None
        items: list[Any] = []
        try:
            items.extend(islice(self._items, self._size))
        except ProtonetError as error:
            items.append(_Failure(error))
        self._more = bool(items)
        if not items:
            return None
        self._given += 1
        return self._given - 1, items

    def _send_all(self, value: Any) -> None:
        for rank in self._busy:
            self._ranks.send(value, rank)


def _result(found: Any) -> Any:
    if isinstance(found, _Failure):
        raise found.error
    return found


def _made(function: Callable[[Any], Any], item: Any) -> list[Any]:
    """The result of an item, or why there is none."""
    if isinstance(item, _Failure):
        return [item]
    try:
        return [function(item)]
    except Exception as error:
        return [_Failure(error)]


def _made_elsewhere(
    function: Callable[[Any], Any], items: Sequence[Any], ranks: Communicator
) -> list[Any]:
    """The results of items up to the first failure, which names this rank."""
    results: list[Any] = []
    for item in items:
        (found,) = _made(function, item)
        if isinstance(found, _Failure) and found is not item:
            return [*results, _Failure(_sent(found.error, f"rank {ranks.rank} on {ranks.host}"))]
        results.append(found)
    return results


def _sent(error: Exception, where: str) -> Exception:
    """An error that can be sent, and names where it was raised."""
    if isinstance(error, MemoryError):
        return error
    if isinstance(error, OSError):
        return DataError(f"{where}: {error}")
    if isinstance(error, ProtonetError):
        # By a plain message: errors of networks are made of more.
        kind = type(error) if type(error).__init__ is Exception.__init__ else DataError
        return kind(f"{where}: {error}")
    trace = "".join(traceback.format_exception(error))
    return RuntimeError(f"{where}: {trace}")


def _opened(stack: ExitStack, start: Start[Any, Any]) -> Callable[[Any], Any]:
    """The function of items; one that raises why it cannot be had."""
    try:
        return stack.enter_context(start())
    except Exception as error:
        failure = error

    def fail(_: Any) -> Any:
        raise failure

    return fail


def _wait(ranks: Communicator) -> tuple[int, Any]:
    """The next message, and the rank that has sent it."""
    sleep = _SHORTEST_SLEEP
    while (message := ranks.received()) is None:
        time.sleep(sleep)
        sleep = min(2 * sleep, _LONGEST_SLEEP)
    return message
