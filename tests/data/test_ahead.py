"""Batches ahead of time: their order, errors, and going on elsewhere."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from protonet.data.ahead import Ahead, Batch

SHAPE = (2, 3, 4)


def fill(batch: Batch, first: int) -> Batch:
    # Later batches are ready first.
    time.sleep(0.002 if first % 10 == 0 else 0)
    batch.labels[:] = np.arange(first, first + len(batch.labels))
    batch.data[:] = batch.labels[:, None, None, None]
    return batch


def labels_of(ahead: Ahead, count: int) -> list[list[int]]:
    out = []
    for _ in range(count):
        data, labels = np.empty((5, *SHAPE), np.float32), np.empty(5, np.float32)
        ahead.next(data, labels)
        assert (data == labels[:, None, None, None]).all()
        out.append(labels.astype(int).tolist())
    return out


@pytest.mark.parametrize("threads", [0, 1, 4])
def test_batches_come_in_order(threads: int) -> None:
    ahead = Ahead(fill, 5, SHAPE, threads)
    assert labels_of(ahead, 6) == np.arange(30).reshape(6, 5).tolist()
    assert ahead.position == 30
    ahead.position = 7
    assert labels_of(ahead, 2) == np.arange(7, 17).reshape(2, 5).tolist()
    ahead.next(np.empty((5, *SHAPE), np.float32))
    assert ahead.position == 22
    ahead.close()
    ahead.close()
    assert not any(each.name.startswith("protonet-data") for each in threading.enumerate())


def test_after_an_error_the_same_batch_is_due() -> None:
    fails = True

    def failing(batch: Batch, first: int) -> Batch:
        if first == 5 and fails:
            raise ValueError("damaged")
        return fill(batch, first)

    ahead = Ahead(failing, 5, SHAPE, 2)
    assert labels_of(ahead, 1) == [[0, 1, 2, 3, 4]]
    for _ in range(2):
        with pytest.raises(ValueError, match="damaged"):
            labels_of(ahead, 1)
    assert ahead.position == 5
    fails = False
    assert labels_of(ahead, 1) == [[5, 6, 7, 8, 9]]
    ahead.close()
