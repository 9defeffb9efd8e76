"""Batches that threads make before they are asked for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from protonet.data.transform import ImageShape


class Batch(NamedTuple):
    """Images (n, channels, height, width) and labels (n), float32."""

    data: np.ndarray
    labels: np.ndarray

    @staticmethod
    def empty(count: int, shape: ImageShape) -> Batch:
        """Arrays that are to be filled."""
        return Batch(np.empty((count, *shape), np.float32), np.empty(count, np.float32))


class Ahead:
    """Gives batch after batch of a stream of images, made ahead of time.

    Args:
        fill: writes a batch; its second argument is the place of its first image in the stream.
            Called by several threads at once.
        batch_size: images in a batch.
        shape: of an image.
        threads: how many fill.
    """

    def __init__(
        self,
        fill: Callable[[Batch, int], Batch],
        batch_size: int,
        shape: ImageShape,
        threads: int,
    ) -> None:
        self.pool = ThreadPoolExecutor(max(1, threads), thread_name_prefix="protonet-data")
        self._fill = fill
        self._batch_size = batch_size
        self._shape = shape
        self._threads = max(1, threads)
        self._position = 0
        self._submitted = 0
        self._futures: deque[Future[Batch]] = deque()
        self._free: list[Batch] = []

    @property
    def position(self) -> int:
        """Images delivered so far; setting it goes on from there."""
        return self._position

    @position.setter
    def position(self, value: int) -> None:
        for future in self._futures:
            future.cancel()
        self._futures.clear()
        # Not reused: a thread may still be writing to those in flight.
        self._free.clear()
        self._position = self._submitted = value

    def next(self, data: np.ndarray, labels: np.ndarray | None = None) -> None:
        """Write the next batch to ``data``, (n, *shape), and ``labels``, (n,)."""
        try:
            while len(self._futures) <= self._threads:
                batch = self._free.pop() if self._free else self._buffers()
                self._futures.append(self.pool.submit(self._fill, batch, self._submitted))
                self._submitted += self._batch_size
            batch = self._futures.popleft().result()
        except BaseException:
            # An error or an interrupt: what was taken out is not delivered, so begin again there.
            self.position = self._position
            raise
        np.copyto(data, batch.data)
        if labels is not None:
            np.copyto(labels, batch.labels)
        self._free.append(batch)
        self._position += self._batch_size

    def close(self) -> None:
        """Stop the threads; a second call does nothing."""
        self.pool.shutdown(wait=True, cancel_futures=True)
        self._futures.clear()

    def _buffers(self) -> Batch:
        return Batch.empty(self._batch_size, self._shape)
