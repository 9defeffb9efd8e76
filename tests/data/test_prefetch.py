"""Batches ahead of time: their order, errors, and going on elsewhere."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import pytest

from protonet.data.prefetch import Batch, PrefetchedSource, Prefetcher

SHAPE = (2, 3, 4)


def fill(part: Batch, first: int, start: int) -> None:
    # Later batches are ready first.
    time.sleep(0.002 if first % 10 == 0 else 0)
    assert start == 0
    part.labels[:] = np.arange(first, first + len(part.labels))
    part.data[:] = part.labels[:, None, None, None]


def labels_of(prefetcher: Prefetcher, count: int) -> list[list[int]]:
    out = []
    for _ in range(count):
        data, labels = np.empty((5, *SHAPE), np.float32), np.empty(5, np.float32)
        prefetcher.next(data, labels)
        assert (data == labels[:, None, None, None]).all()
        out.append(labels.astype(int).tolist())
    return out


@pytest.mark.parametrize("threads", [0, 1, 4])
def test_batches_come_in_order(threads: int) -> None:
    prefetcher = Prefetcher(fill, 5, SHAPE, threads)
    assert labels_of(prefetcher, 6) == np.arange(30).reshape(6, 5).tolist()
    assert prefetcher.position == 30
    prefetcher.position = 7
    assert labels_of(prefetcher, 2) == np.arange(7, 17).reshape(2, 5).tolist()
    prefetcher.next(np.empty((5, *SHAPE), np.float32))
    assert prefetcher.position == 22
    prefetcher.close()
    prefetcher.close()
    assert not any(each.name.startswith("protonet-data") for each in threading.enumerate())


def test_after_an_error_the_same_batch_is_due() -> None:
    fails = True

    def failing(part: Batch, first: int, start: int) -> None:
        if first == 5 and fails:
            raise ValueError("damaged")
        fill(part, first, start)

    prefetcher = Prefetcher(failing, 5, SHAPE, 2)
    assert labels_of(prefetcher, 1) == [[0, 1, 2, 3, 4]]
    for _ in range(2):
        with pytest.raises(ValueError, match="damaged"):
            labels_of(prefetcher, 1)
    assert prefetcher.position == 5
    fails = False
    assert labels_of(prefetcher, 1) == [[5, 6, 7, 8, 9]]
    prefetcher.close()


@pytest.mark.parametrize("threads", [1, 3, 8])
def test_threads_share_a_large_batch(threads: int) -> None:
    parts: list[tuple[int, int, int]] = []

    def note(part: Batch, first: int, start: int) -> None:
        parts.append((first, start, len(part.labels)))
        part.labels[:] = np.arange(first, first + len(part.labels))
        part.data[:] = start

    prefetcher = Prefetcher(note, 5, (3, 256, 256), threads)
    prefetcher.position = 20
    first = prefetcher.take()
    assert first.labels.tolist() == [20, 21, 22, 23, 24]
    second = prefetcher.take()
    assert second.labels.tolist() == [25, 26, 27, 28, 29]
    assert first.labels.tolist() == [20, 21, 22, 23, 24]  # not given back: not filled again
    prefetcher.give_back(first)
    prefetcher.close()
    of_first = sorted(part for part in parts if part[0] < 25)
    assert len(of_first) == min(threads, 5)
    assert sum(count for _, _, count in of_first) == 5
    assert all(place - 20 == start for place, start, _ in of_first)


def test_what_is_given_back_is_filled_again() -> None:
    made = []

    def empty(shape: tuple[int, ...], dtype: Any = np.float32) -> np.ndarray:
        made.append(shape)
        return np.empty(shape, dtype)

    prefetcher = Prefetcher(fill, 5, SHAPE, 2, empty)
    for _ in range(20):
        prefetcher.give_back(prefetcher.take())
    prefetcher.close()
    assert set(made) == {(5, *SHAPE), (5,)}
    assert len(made) <= 8


def test_a_source_that_goes_elsewhere_forgets_what_was_made() -> None:
    class Source(PrefetchedSource):
        forgot: tuple[int, ...] = ()

        def discard(self) -> None:
            self.forgot += (self.position,)

    prefetcher = Prefetcher(fill, 5, SHAPE, 2)
    source = Source(prefetcher)
    assert source.times is prefetcher.times
    source.give_back(prefetcher.take())
    assert (source.position, source.forgot) == (5, ())
    source.position = 20
    assert (prefetcher.position, source.forgot) == (20, (20,))
    assert labels_of(prefetcher, 1) == [[20, 21, 22, 23, 24]]
    source.close()


@pytest.mark.parametrize("threads", [1, 3])
def test_batches_may_be_smaller(threads: int) -> None:
    made = []

    def empty(shape: tuple[int, ...], dtype: Any = np.float32) -> np.ndarray:
        made.append(shape)
        return np.empty(shape, dtype)

    def note(part: Batch, first: int, start: int) -> None:
        part.labels[:] = np.arange(first, first + len(part.labels))
        part.data[:] = part.labels[:, None, None, None]

    def size_at(position: int) -> int:
        return min(5, 12 - position % 12)

    prefetcher = Prefetcher(note, 5, (3, 256, 256), threads, empty, size_at)
    seen = []
    for _ in range(10):
        batch = prefetcher.take()
        np.testing.assert_array_equal(batch.data[:, 0, 0, 0], batch.labels)
        seen.append(batch.labels.astype(int).tolist())
        prefetcher.give_back(batch)
    assert [len(labels) for labels in seen] == [5, 5, 2] * 3 + [5]
    assert [each for labels in seen for each in labels] == list(range(41))
    assert prefetcher.position == 41
    assert set(made) == {(5, 3, 256, 256), (5,)}
    assert len(made) <= 8  # the buffers of smaller batches are reused, too
    prefetcher.close()
