"""Batches of a database, decoded and transformed: from memory where it fits, else ahead of time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from protonet.data.database import Database
from protonet.data.datum import decode
from protonet.data.transform import Transformer
from protonet.errors import DataError

CACHE_LIMIT = 512 * 2**20
"""Bytes of decoded images that one source keeps in memory."""

_AHEAD = 4
"""Batches that are prepared ahead."""


class _Batch(NamedTuple):
    data: np.ndarray
    labels: np.ndarray


class BatchSource:
    """Gives batch after batch of a database in Caffe's order: by key, wrapping in mid-batch.

    With ``shuffle`` every epoch has an order of its own that depends on the seed, the epoch and
    the number of records only, so that sources over paired databases shuffle alike.

    A set whose transformed images fit ``cache_limit`` is decoded once and kept: a batch is then
    one copy. Otherwise threads decode and transform some batches ahead.

    Args:
        database: belongs to the source, which closes it.
        batch_size: records in a batch.
        transformer: its ``shape`` is what every record must have.
        color: force encoded images to colour (True) or gray (False).
        threads: how many decode.
    """

    def __init__(
        self,
        database: Database,
        batch_size: int,
        transformer: Transformer,
        *,
        color: bool | None = None,
        shuffle: bool = False,
        seed: int = 0,
        skip: int = 0,
        threads: int = 2,
        cache_limit: int = CACHE_LIMIT,
    ) -> None:
        self.database = database
        self.batch_size = batch_size
        self.transformer = transformer
        self.length = len(database)
        self._color = color
        self._shuffle = shuffle
        self._seed = seed
        self._skip = skip
        self._position = 0
        self._epoch_order: tuple[int, np.ndarray] | None = None
        self._pool = ThreadPoolExecutor(max(1, threads), thread_name_prefix="protonet-data")
        self._ahead: deque[Future[_Batch]] = deque()
        self._submitted = 0
        self._free: list[_Batch] = []
        self._cache: _Batch | None = None
        size = 4 * self.length * int(np.prod(transformer.output_shape))
        if not transformer.is_random and size <= cache_limit:
            self._cache = self._decode_all()
            self._pool.shutdown()
            database.close()

    @property
    def position(self) -> int:
        """Records delivered so far: where an exact resume goes on."""
        return self._position

    @position.setter
    def position(self, value: int) -> None:
        for future in self._ahead:
            future.cancel()
        self._ahead.clear()
        self._free.clear()
        self._position = self._submitted = value

    def next(self, data: np.ndarray, labels: np.ndarray | None = None) -> None:
        """Write the next batch: images to ``data`` and Datum.label to ``labels``.

        Raises:
            DataError: naming the database and key of a record that cannot be used.
        """
        if self._cache is not None:
            self._from_cache(data, labels)
        else:
            self._from_threads(data, labels)
        self._position += self.batch_size

    def close(self) -> None:
        """Stop the threads and let go of the database."""
        for future in self._ahead:
            future.cancel()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self.database.close()

    # From memory.

    def _from_cache(self, data: np.ndarray, labels: np.ndarray | None) -> None:
        assert self._cache is not None
        start = (self._position + self._skip) % self.length
        stop = start + self.batch_size
        if not self._shuffle and stop <= self.length:
            np.copyto(data, self._cache.data[start:stop])
            if labels is not None:
                np.copyto(labels, self._cache.labels[start:stop])
            return
        rows = self._rows(self._position)
        data[...] = self._cache.data[rows]
        if labels is not None:
            labels[...] = self._cache.labels[rows]

    def _decode_all(self) -> _Batch:
        """Every record, transformed, in the order of the keys."""
        batch = self._buffers(self.length)
        chunk = max(1, min(256, self.length // 8))
        try:
            list(
                self._pool.map(
                    lambda start: self._fill(
                        batch, start, np.arange(start, min(start + chunk, self.length)), start
                    ),
                    range(0, self.length, chunk),
                )
            )
        except BaseException:
            self.close()
            raise
        return batch

    # Ahead of time.

    def _from_threads(self, data: np.ndarray, labels: np.ndarray | None) -> None:
        while len(self._ahead) < _AHEAD:
            buffers = self._free.pop() if self._free else self._buffers(self.batch_size)
            first = self._submitted
            rows = self._rows(first)
            self._ahead.append(self._pool.submit(self._fill, buffers, first, rows, 0))
            self._submitted += self.batch_size
        batch = self._ahead.popleft().result()
        np.copyto(data, batch.data)
        if labels is not None:
            np.copyto(labels, batch.labels)
        self._free.append(batch)

    def _buffers(self, count: int) -> _Batch:
        shape = (count, *self.transformer.output_shape)
        return _Batch(np.empty(shape, np.float32), np.empty(count, np.float32))

    def _fill(self, batch: _Batch, first: int, rows: np.ndarray, place: int) -> _Batch:
        """Decode and transform records ``rows`` to ``batch`` from ``place`` on; ``first`` is the
        index in the stream of the first."""
        draws = self.transformer.draws(range(first, first + len(rows)))
        keys = self.database.keys()
        for offset, (row, draw) in enumerate(zip(rows, draws, strict=True)):
            key = keys[row]
            datum = self.database.get(key)
            where = self.database.where(key)
            image = decode(datum, where, color=self._color)
            if image.shape != self.transformer.shape:
                found, expected = (
                    "x".join(map(str, shape)) for shape in (image.shape, self.transformer.shape)
                )
                raise DataError(
                    f"{where}: the record is {found}, but the first one is {expected}; "
                    "all records of a database must have one shape"
                )
            self.transformer.apply(image, batch.data[place + offset], draw)
            batch.labels[place + offset] = datum.label
        return batch

    def _rows(self, position: int) -> np.ndarray:
        """The records of the batch that begins at ``position`` of the stream."""
        return np.fromiter(self._order(position), np.int64, self.batch_size)

    def _order(self, position: int) -> Iterator[int]:
        for index in range(position + self._skip, position + self._skip + self.batch_size):
            epoch, row = divmod(index, self.length)
            yield int(self._permutation(epoch)[row]) if self._shuffle else row

    def _permutation(self, epoch: int) -> np.ndarray:
        if self._epoch_order is None or self._epoch_order[0] != epoch:
            key = np.random.SeedSequence([self._seed % 2**64, epoch, self.length])
            generator = np.random.Generator(np.random.Philox(key))
            self._epoch_order = (epoch, generator.permutation(self.length))
        return self._epoch_order[1]
