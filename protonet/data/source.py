"""Batches of images, decoded and transformed: cached where they fit, else prefetched."""

from __future__ import annotations

import math
import time

import numpy as np

from protonet.data.index_sampler import IndexSampler
from protonet.data.prefetch import Batch, Empty, PrefetchedSource, Prefetcher
from protonet.data.records import Images, Records
from protonet.data.shards import Shard
from protonet.data.transform import Transformer
from protonet.errors import DataError
from protonet.ranks.communicator import Part

CACHE_LIMIT = 512 * 2**20
"""Default limit of the bytes of images that one source caches."""

_CHUNK = 256
"""Records that a thread decodes in one go when the whole set is decoded: also the longest wait
after an interrupt."""

BATCHES_AHEAD = 4
"""Buffers of batches with the usual two threads."""


def cached_bytes(length: int, batch_size: int, transformer: Transformer, limit: int | None) -> int:
    """The bytes of images that a source of so many records keeps: all of them, transformed or
    decoded, where they fit ``limit``, and batches that are made ahead.
    """
    whole = length * math.prod(transformer.output_shape) * 4
    if not transformer.is_random and (limit is None or whole <= limit):
        return whole
    decoded = 0 if transformer.least else length * math.prod(transformer.shape)
    kept = decoded if limit is None or decoded <= limit else 0
    return kept + BATCHES_AHEAD * batch_size * math.prod(transformer.output_shape) * 4


class BatchSource(PrefetchedSource):
    """Batches of a database or a list in Caffe's order: by key, wrapping around within a batch.

    With ``shuffle`` every epoch has an order of its own that depends on the seed, the epoch and
    the number of records only, so that sources over paired databases shuffle alike. With
    ``partial`` a batch does not wrap around: the last one of an epoch has the records that are
    left.

    Where nothing is random and the transformed images fit ``cache_limit``, they are made at once
    and kept: a batch is then one copy. Otherwise threads prepare batches ahead, from decoded
    images that are kept where they fit.

    Args:
        images: belong to the source, which closes them.
        batch_size: records in a batch.
        transformer: its ``shape`` is what every record must have.
        color: force encoded images to colour (True) or gray (False).
        shuffle, seed: the order of the records.
        partial: whether batches end with the epoch.
        part: of every batch, the records that are delivered; ``batch_size`` is their number.
        last: with ``partial``, the part of the last batch of an epoch.
        shard: what is read of the images, if they are one of several shards.
        skip: records skipped once, at the start.
        threads: number of workers.
        cache_limit: bytes of images to keep; None for all that there are.
        empty: allocates the arrays of the batches.

    Raises:
        DataError: naming the record that cannot be used and where it lies.
    """

    def __init__(
        self,
        images: Images,
        batch_size: int,
        transformer: Transformer,
        *,
        color: bool | None = None,
        shuffle: bool = False,
        seed: int = 0,
        partial: bool = False,
        part: Part | None = None,
        last: Part | None = None,
        shard: Shard | None = None,
        skip: int = 0,
        threads: int = 2,
        cache_limit: int | None = CACHE_LIMIT,
        empty: Empty = np.empty,
    ) -> None:
        self.batch_size, self.length = batch_size, len(images)
        self._transformer, self._shuffle = transformer, shuffle
        self._index_sampler = IndexSampler(len(images), shuffle=shuffle, seed=seed)
        self._partial, self._part, self._last, self._shard = partial, part, last, shard
        self._step = 1 if part is None else part.step
        self._skip, self._empty, shape = skip, empty, transformer.output_shape
        prefetcher = Prefetcher(
            self._make, batch_size, shape, threads, empty, self.size_at, self.part_at
        )
        super().__init__(prefetcher)
        self._whole: Batch | None = None
        keeps_whole = self._keeps_whole(cache_limit)
        self._records = Records(
            images,
            transformer.shape,
            least=transformer.least,
            color=color,
            limit=0 if keeps_whole else cache_limit,
        )
        if keeps_whole:
            self._whole = self._transform_all()
            self.close()

    def _keeps_whole(self, limit: int | None) -> bool:
        """Whether all records are transformed at once, and kept."""
        size = self.length * math.prod(self._transformer.output_shape) * 4
        # Of a part of every batch, other ranks read the other records.
        all_here = not (self._transformer.is_random or self._part or self._shard)
        return all_here and (limit is None or size <= limit)

    def size_at(self, position: int) -> int:
        """The number of records in the batch that begins at ``position`` of the stream."""
        part = self.part_at(position)
        if part is not None:
            return part.count
        if not self._partial:
            return self.batch_size
        return min(self.batch_size, self.length - (position + self._skip) % self.length)

    def part_at(self, position: int) -> Part | None:
        """The part of the batch that begins at ``position`` of the stream; None for all."""
        if self._part is None or self._last is None:
            return self._part
        left = self.length - (position + self._skip) % self.length
        return self._part if left >= self._part.whole else self._last

    def next(self, data: np.ndarray, labels: np.ndarray | None = None) -> None:
        """Write the next batch: images to ``data``, (n, *output_shape), labels to ``labels``, (n,).

        Raises:
            DataError: naming the record that cannot be used and where it lies.
        """
        if self._whole is None:
            self._prefetcher.next(data, labels)
        else:
            self._copy(self._whole, data, labels)
            self.position += len(data)

    def take(self) -> Batch:
        """The next batch, not to be written to, and the caller's until ``give_back``.

        Raises:
            DataError: naming the record that cannot be used and where it lies.
        """
        if self._whole is None:
            return self._prefetcher.take()
        start = (self.position + self._skip) % self.length
        stop = start + self.size_at(self.position)
        if not self._shuffle and stop <= self.length:
            batch = self._whole.part(start, stop)
        else:
            batch = self._prefetcher.buffers(stop - start)
            self._copy(self._whole, *batch)
        self.position += stop - start
        return batch

    def give_back(self, batch: Batch) -> None:
        """Return a batch to the pool of free buffers."""
        if self._whole is None or not np.may_share_memory(batch.data, self._whole.data):
            self._prefetcher.give_back(batch)

    def close(self) -> None:
        """Stop the workers and close the database; idempotent."""
        super().close()
        self._records.close()

    # Cached.

    def _copy(self, whole: Batch, data: np.ndarray, labels: np.ndarray | None) -> None:
        start = (self.position + self._skip) % self.length
        stop = start + len(data)
        if self._shuffle or stop > self.length:
            rows = self._rows(self.position, len(data))
            data[...] = whole.data[rows]
            if labels is not None:
                labels[...] = whole.labels[rows]
            return
        np.copyto(data, whole.data[start:stop])
        if labels is not None:
            np.copyto(labels, whole.labels[start:stop])

    def _transform_all(self) -> Batch:
        """Every record, transformed, in the order of the keys."""
        whole = Batch.empty(self.length, self._transformer.output_shape, self._empty)
        try:
            futures = []
            for start in range(0, self.length, _CHUNK):
                part = whole.part(start, start + _CHUNK)
                rows = np.arange(start, start + len(part.labels))
                futures.append(self._prefetcher.pool.submit(self._fill, part, start, rows))
            for future in futures:
                future.result()
        except BaseException:
            self.close()
            raise
        return whole

    # Prefetched.

    def _make(self, part: Batch, first: int, _start: int) -> None:
        self._fill(part, first, self._rows(first, len(part.labels)))

    def _fill(self, batch: Batch, first: int, rows: np.ndarray) -> None:
        """Write records ``rows``, transformed; ``first`` is the first one's index in the stream."""
        clock = time.perf_counter
        began, reading = clock(), 0.0
        draws = self._transformer.draws(first, self._span(len(rows)))[:: self._step]
        for place, (row, draw) in enumerate(zip(rows.tolist(), draws, strict=True)):
            before = clock()
            image, batch.labels[place] = self._records.read(row)
            reading += clock() - before
            try:
                self._transformer.apply(image, batch.data[place], draw)
            except DataError as error:
                raise DataError(f"{self._records.where(row)}: {error}") from error
        self.times.record(began, reading, clock() - began - reading, len(rows))

    def _rows(self, position: int, count: int) -> np.ndarray:
        """The records of ``count`` images from ``position`` of the stream on."""
        if self._shard is not None:
            return self._index_sampler.indices(self._shard.place(position) + self._skip, count)
        found = self._index_sampler.indices(position + self._skip, self._span(count))
        return found[:: self._step]

    def _span(self, count: int) -> int:
        """Places of the stream from the first to the last of so many images."""
        return (count - 1) * self._step + 1
