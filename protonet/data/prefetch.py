"""Prefetching: worker threads fill batches before the net needs them."""

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
from protonet.ranks.communicator import Part

_DEPTH = 3
"""Batches in flight: the one that is delivered next and two prefetched behind it."""
_PART = 2**18
"""Bytes of a batch below which it is not split among workers: dispatch would cost more."""


class Empty(Protocol):
    """Allocates an uninitialised host array: ``np.empty`` or ``Device.pinned``."""

    def __call__(self, shape: tuple[int, ...], dtype: Any = ..., /) -> np.ndarray:
        """An uninitialised array."""


class Batch(NamedTuple):
    """Images (n, channels, height, width) and labels (n), float32."""

    data: np.ndarray
    labels: np.ndarray

    @staticmethod
    def empty(count: int, shape: ImageShape, empty: Empty = np.empty) -> Batch:
        """Uninitialised arrays."""
        return Batch(empty((count, *shape), np.float32), empty((count,), np.float32))

    def part(self, start: int, stop: int) -> Batch:
        """A view of some of the images."""
        return Batch(self.data[start:stop], self.labels[start:stop])


class WorkerTime(NamedTuple):
    """Seconds of one worker on a part of a batch; ``began`` is by ``time.perf_counter``."""

    thread: int
    began: float
    reading: float
    transforming: float
    images: int


class InputTimes:
    """Seconds that consumers ``waited`` for batches and, where ``worker_times`` is a list, the
    times of the workers. Reading includes decoding.
    """

    def __init__(self) -> None:
        self.waited = 0.0
        self.worker_times: list[WorkerTime] | None = None

    def record(self, began: float, reading: float, transforming: float, images: int) -> None:
        """Record a part that was filled. Thread-safe."""
        times = self.worker_times
        if times is not None:
            times.append(WorkerTime(threading.get_ident(), began, reading, transforming, images))


Fill = Callable[[Batch, int, int], object]
"""Fills a part of a batch. The second argument is the index of the part's first image in the
stream, the third its index in the batch."""


Sizes = Callable[[int], int]
"""The number of images in the batch that begins at a position of the stream."""


class Prefetcher:
    """Prefetches batches of a stream of images with worker threads.

    All workers share one batch at a time where it is large enough, so that the number of buffers
    does not grow with the number of threads.

    Args:
        fill: fills a part of a batch; called by several threads at once.
        batch_size: images in a batch.
        shape: of an image.
        threads: number of workers.
        empty: allocates the arrays of the batches.
        size_at: the sizes of batches, at most ``batch_size``; None if all are full.
        part_at: of the batch that begins at a position of the stream, the images that are
            delivered; None for all.
    """

    def __init__(
        self,
        fill: Fill,
        batch_size: int,
        shape: ImageShape,
        threads: int,
        empty: Empty = np.empty,
        size_at: Sizes | None = None,
        part_at: Callable[[int], Part | None] = lambda _: None,
    ) -> None:
        threads = max(1, threads)
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="protonet-data")
        self._fill = fill
        self._batch_size = batch_size
        self._shape = shape
        self._empty = empty
        self._size_at: Sizes = size_at if size_at is not None else lambda _: batch_size
        parts = min(threads, batch_size, batch_size * math.prod(shape) * 4 // _PART)
        self._edges = [batch_size * i // max(1, parts) for i in range(max(1, parts) + 1)]
        self.times = InputTimes()
        self._part_at = part_at
        self._position = 0
        self._submitted = 0
        self._in_flight: deque[tuple[Batch, list[Future[object]]]] = deque()
        self._free: list[Batch] = []
        self._buffers: dict[int, Batch] = {}
        """The buffers of batches that are not full, by the ``id`` of the batch's images."""

    @property
    def position(self) -> int:
        """Images of the stream so far, those of other ranks included; setting it seeks."""
        return self._position

    @position.setter
    def position(self, value: int) -> None:
        for _, futures in self._in_flight:
            for future in futures:
                future.cancel()
        # Dropped, not reused: a worker may still be writing to them.
        self._in_flight.clear()
        self._position = self._submitted = value

    def take(self) -> Batch:
        """The next batch. The caller owns its arrays until ``give_back``."""
        try:
            while len(self._in_flight) < _DEPTH:
                self._submit()
            batch, futures = self._in_flight.popleft()
            began = time.perf_counter()
            for future in futures:
                future.result()
            self.times.waited += time.perf_counter() - began
        except BaseException:
            # An error or an interrupt: the batch was not delivered, so seek back to it.
            self.position = self._position
            raise
        size = self._size_at(self._position)
        self._position += self._step(size, self._position)
        return self._first_of(batch, size)

    def give_back(self, batch: Batch) -> None:
        """Return a batch to the pool of free buffers."""
        batch = self._buffers.pop(id(batch.data), batch)
        if len(self._free) < _DEPTH:
            self._free.append(batch)

    def buffers(self, size: int | None = None) -> Batch:
        """A batch from the pool, full or of ``size`` images, with arbitrary contents; return it
        with ``give_back``.
        """
        batch = self._free.pop() if self._free else self._new()
        return batch if size is None else self._first_of(batch, size)

    def next(self, data: np.ndarray, labels: np.ndarray | None = None) -> None:
        """Write the next batch to ``data``, (n, *shape), and ``labels``, (n,)."""
        batch = self.take()
        np.copyto(data, batch.data)
        if labels is not None:
            np.copyto(labels, batch.labels)
        self.give_back(batch)

    def close(self) -> None:
        """Stop the workers; idempotent."""
        self.pool.shutdown(wait=True, cancel_futures=True)
        self._in_flight.clear()

    def _step(self, size: int, position: int) -> int:
        """How far the stream goes on with the batch of so many images at a position."""
        part = self._part_at(position)
        return size if part is None else part.whole

    def _first_of(self, batch: Batch, size: int) -> Batch:
        """The first images of a batch; ``give_back`` will find the whole one."""
        if size == self._batch_size:
            return batch
        part = batch.part(0, size)
        self._buffers[id(part.data)] = batch
        return part

    def _submit(self) -> None:
        batch = self.buffers()
        size = self._size_at(self._submitted)
        part = self._part_at(self._submitted)
        skipped, step = (0, 1) if part is None else (part.first, part.step)
        futures: list[Future[object]] = []
        self._in_flight.append((batch, futures))
        for start, stop in zip(self._edges, self._edges[1:], strict=False):
            first = self._submitted + skipped + start * step
            if start < size:
                some = batch.part(start, min(stop, size))
                futures.append(self.pool.submit(self._fill, some, first, start))
        self._submitted += self._step(size, self._submitted)

    def _new(self) -> Batch:
        return Batch.empty(self._batch_size, self._shape, self._empty)


class PrefetchedSource:
    """Base of the sources whose batches are prefetched."""

    def __init__(self, prefetcher: Prefetcher) -> None:
        self._prefetcher = prefetcher
        self.times = prefetcher.times

    @property
    def position(self) -> int:
        """Items delivered so far; setting it seeks in the stream."""
        return self._prefetcher.position

    @position.setter
    def position(self, value: int) -> None:
        self._prefetcher.position = value
        self.discard()

    def discard(self) -> None:
        """Drop what belongs to batches that were prefetched but not taken."""

    def give_back(self, batch: Batch) -> None:
        """Return a batch to the pool of free buffers."""
        self._prefetcher.give_back(batch)

    def close(self) -> None:
        """Stop the workers; idempotent."""
        self._prefetcher.close()
