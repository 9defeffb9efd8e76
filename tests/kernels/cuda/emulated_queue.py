"""A stand-in for CUDA's streams and graphs: while a stream is captured, work is kept for later."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any


class Queue:
    """Does work at once, or keeps it while a stream is captured."""

    def __init__(self) -> None:
        self.kept: list[Callable[[], Any]] | None = None
        self.beside: dict[int, list[Callable[[], Any]]] = {}
        """Work of other streams, which is done when the main one waits for it."""
        self.captures = 0
        self.launches = 0

    def do(self, work: Callable[[], Any]) -> None:
        """Now, or when the graph is launched."""
        if self.kept is None:
            work()
        else:
            self.kept.append(work)

    def do_beside(self, stream: int, work: Callable[[], Any]) -> None:
        """On another stream: as late as it may be."""
        self.beside.setdefault(stream, []).append(work)

    def join(self, stream: int) -> None:
        """Wait for another stream."""
        for work in self.beside.pop(stream, ()):
            self.do(work)

    def refuse(self, what: str) -> None:
        """As CuPy does while a stream is captured."""
        if self.kept is not None:
            raise RuntimeError(f"{what} during stream capture")


class EmulatedCuda:
    """What is used of ``cupy.cuda``."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self._streams = count(1)

    def Stream(self, non_blocking: bool = False) -> EmulatedStream:
        return EmulatedStream(self.queue, next(self._streams))

    def Event(self, **how: Any) -> EmulatedEvent:
        return EmulatedEvent(self.queue)

    def MemoryPool(self) -> EmulatedPool:
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
    """What was queued on a stream when it was recorded."""

    def __init__(self, queue: Queue) -> None:
        self._queue, self.stream = queue, 0

    def record(self, stream: Any = None) -> None:
        self.stream = 0 if stream is None else stream.ptr

    def synchronize(self) -> None:
        self._queue.join(self.stream)


class EmulatedStream:
    """Where captures begin and end."""

    def __init__(self, queue: Queue, ptr: int = 0) -> None:
        self._queue, self.ptr = queue, ptr

    def __enter__(self) -> EmulatedStream:
        return self

    def __exit__(self, *error: Any) -> None:
        return

    def wait_event(self, event: EmulatedEvent) -> None:
        if self.ptr == 0:
            self._queue.join(event.stream)

    def begin_capture(self) -> None:
        assert self._queue.kept is None
        self._queue.kept = []
        self._queue.captures += 1

    def end_capture(self) -> EmulatedGraph:
        assert self._queue.kept is not None
        unjoined, self._queue.beside = self._queue.beside, {}
        if unjoined:
            self._queue.kept = None
            raise RuntimeError("unjoined work of another stream at the end of stream capture")
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
