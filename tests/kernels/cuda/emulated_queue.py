"""A stand-in for CUDA's streams and graphs: while a stream is captured, work is kept for later."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Queue:
    """Does work at once, or keeps it while a stream is captured."""

    def __init__(self) -> None:
        self.kept: list[Callable[[], Any]] | None = None
        self.captures = 0
        self.launches = 0

    def do(self, work: Callable[[], Any]) -> None:
        """Now, or when the graph is launched."""
        if self.kept is None:
            work()
        else:
            self.kept.append(work)

    def refuse(self, what: str) -> None:
        """As CuPy does while a stream is captured."""
        if self.kept is not None:
            raise RuntimeError(f"{what} during stream capture")


class EmulatedCuda:
    """What is used of ``cupy.cuda``."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue

    def Stream(self, non_blocking: bool = False) -> EmulatedStream:  # noqa: N802
        return EmulatedStream(self.queue)

    def Event(self, **how: Any) -> EmulatedEvent:  # noqa: N802
        return EmulatedEvent()

    def MemoryPool(self) -> EmulatedPool:  # noqa: N802
        return EmulatedPool()

    def get_current_stream(self) -> EmulatedStream:
        return EmulatedStream(self.queue)

    @contextmanager
    def using_allocator(self, allocator: Any) -> Iterator[None]:
        yield


class EmulatedPool:
    """Gives no memory; NumPy does."""

    def malloc(self, size: int) -> None:
        raise NotImplementedError


class EmulatedEvent:
    """All is over when it is recorded."""

    def record(self, stream: Any = None) -> None:
        return

    def synchronize(self) -> None:
        return


class EmulatedStream:
    """Where captures begin and end."""

    ptr = 0

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    def __enter__(self) -> EmulatedStream:
        return self

    def __exit__(self, *error: Any) -> None:
        return

    def wait_event(self, event: EmulatedEvent) -> None:
        return

    def begin_capture(self) -> None:
        assert self._queue.kept is None
        self._queue.kept = []
        self._queue.captures += 1

    def end_capture(self) -> EmulatedGraph:
        assert self._queue.kept is not None
        graph, self._queue.kept = EmulatedGraph(self._queue, self._queue.kept), None
        return graph


class EmulatedGraph:
    """The work that was kept."""

    def __init__(self, queue: Queue, work: list[Callable[[], Any]]) -> None:
        self._queue, self._work = queue, work

    def launch(self) -> None:
        self._queue.launches += 1
        for each in self._work:
            each()
