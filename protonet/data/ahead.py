"""Batches that threads make before they are asked for."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol

import numpy as np

from protonet.data.transform import ImageShape

_BATCHES = 3
"""Batches that are at work or ready: two ahead of the one that is asked for."""
_PART = 2**18
"""Bytes of a batch below which it is not divided among threads: handing over costs more."""


class Empty(Protocol):
    """Makes an array on the host that is to be filled, such as ``Device.pinned``."""

    def __call__(self, shape: tuple[int, ...], dtype: Any = ..., /) -> np.ndarray:
        """An array with any values."""


class Batch(NamedTuple):
    """Images (n, channels, height, width) and labels (n), float32."""

    data: np.ndarray
    labels: np.ndarray

    @staticmethod
    def empty(count: int, shape: ImageShape, empty: Empty = np.empty) -> Batch:
        """Arrays that are to be filled."""
        return Batch(empty((count, *shape), np.float32), empty((count,), np.float32))

    def part(self, start: int, stop: int) -> Batch:
        """Some of the images, in the same memory."""
        return Batch(self.data[start:stop], self.labels[start:stop])


class Work(NamedTuple):
    """What one thread did for a part of a batch; ``began`` counts as ``time.perf_counter`` does."""

    thread: int
    began: float
    reading: float
    transforming: float
    images: int


class InputTimes:
    """How long images were waited for, and, where ``works`` is a list, what the threads did.

    ``waited`` is in seconds. Reading is decoding too.
    """

    def __init__(self) -> None:
        self.waited = 0.0
        self.works: list[Work] | None = None

    def note(self, began: float, reading: float, transforming: float, images: int) -> None:
        """Tell of a part that was filled. Called by several threads at once."""
        works = self.works
        if works is not None:
            works.append(Work(threading.get_ident(), began, reading, transforming, images))


Fill = Callable[[Batch, int, int], object]
"""Writes a part of a batch: its second argument is the place of the part's first image in the
stream, its third the place in the batch."""


class Ahead:
    """Gives batch after batch of a stream of images, made ahead of time.

    All threads work on one batch at a time where it is large enough, so that few batches fill the
    memory however many threads there are.

    Args:
        fill: called by several threads at once.
        batch_size: images in a batch.
        shape: of an image.
        threads: how many fill.
        empty: makes the arrays of the batches.
    """

    def __init__(
        self,
        fill: Fill,
        batch_size: int,
        shape: ImageShape,
        threads: int,
        empty: Empty = np.empty,
    ) -> None:
        threads = max(1, threads)
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="protonet-data")
        self._fill = fill
        self._batch_size = batch_size
        self._shape = shape
        self._empty = empty
        parts = min(threads, batch_size, batch_size * math.prod(shape) * 4 // _PART)
        self._edges = [batch_size * i // max(1, parts) for i in range(max(1, parts) + 1)]
        self.times = InputTimes()
        self._position = 0
        self._submitted = 0
        self._flights: deque[tuple[Batch, list[Future[object]]]] = deque()
        self._free: list[Batch] = []

    @property
    def position(self) -> int:
        """Images delivered so far; setting it goes on from there."""
        return self._position

    @position.setter
    def position(self, value: int) -> None:
        for _, futures in self._flights:
            for future in futures:
                future.cancel()
        # Let go, not reused: a thread may still be writing to them.
        self._flights.clear()
        self._position = self._submitted = value

    def take(self) -> Batch:
        """The next batch. Its arrays are the caller's until ``give_back``."""
        try:
            while len(self._flights) < _BATCHES:
                self._submit()
            batch, futures = self._flights.popleft()
            began = time.perf_counter()
            for future in futures:
                future.result()
            self.times.waited += time.perf_counter() - began
        except BaseException:
            # An error or an interrupt: what was taken out is not delivered, so begin again there.
            self.position = self._position
            raise
        self._position += self._batch_size
        return batch

    def give_back(self, batch: Batch) -> None:
        """Let a batch that was taken be filled again."""
        if len(self._free) < _BATCHES:
            self._free.append(batch)

    def buffers(self) -> Batch:
        """A batch whose arrays may hold anything; it is given back as others are."""
        return self._free.pop() if self._free else self._new()

    def next(self, data: np.ndarray, labels: np.ndarray | None = None) -> None:
        """Write the next batch to ``data``, (n, *shape), and ``labels``, (n,)."""
        batch = self.take()
        np.copyto(data, batch.data)
        if labels is not None:
            np.copyto(labels, batch.labels)
        self.give_back(batch)

    def close(self) -> None:
        """Stop the threads; a second call does nothing."""
        self.pool.shutdown(wait=True, cancel_futures=True)
        self._flights.clear()

    def _submit(self) -> None:
        batch = self.buffers()
        futures: list[Future[object]] = []
        self._flights.append((batch, futures))
        for start, stop in zip(self._edges, self._edges[1:], strict=False):
            part, first = batch.part(start, stop), self._submitted + start
            futures.append(self.pool.submit(self._fill, part, first, start))
        self._submitted += self._batch_size

    def _new(self) -> Batch:
        return Batch.empty(self._batch_size, self._shape, self._empty)


class MadeAhead:
    """Base of the sources whose batches an ``Ahead`` makes."""

    def __init__(self, ahead: Ahead) -> None:
        self._ahead = ahead
        self.times = ahead.times

    @property
    def position(self) -> int:
        """Items delivered so far; setting it goes on from there."""
        return self._ahead.position

    @position.setter
    def position(self, value: int) -> None:
        self._ahead.position = value
        self.forget()

    def forget(self) -> None:
        """Let go of what belongs to batches that were made but not taken."""

    def give_back(self, batch: Batch) -> None:
        """Let the arrays of a batch that was taken be filled again."""
        self._ahead.give_back(batch)

    def close(self) -> None:
        """Stop the threads; a second call does nothing."""
        self._ahead.close()
