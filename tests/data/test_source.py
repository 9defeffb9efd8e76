"""Batches: their order, their values, resuming, errors and threads."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
import pytest

from protonet.data.database import Database
from protonet.data.datum import decode, make_datum
from protonet.data.source import BatchSource
from protonet.data.transform import Transformer
from protonet.errors import DataError
from protonet.proto.caffe_pb2 import TEST, TRAIN, TransformationParameter

Make = Callable[..., Path]
SHAPE = (2, 3, 5)
RANDOM = {"crop_size": 2, "mirror": True, "scale": 0.5}
WAYS = [
    pytest.param({}, None, id="transformed set kept"),
    pytest.param({}, 0, id="nothing kept"),
    pytest.param(RANDOM, None, id="decoded set kept"),
    pytest.param(RANDOM, 0, id="random, nothing kept"),
]
"""How batches are made, by the transformation and the limit of the cache."""


def make_source(
    path: Path,
    batch: int = 3,
    fields: dict[str, Any] | None = None,
    phase: int = TRAIN,
    **settings: Any,
) -> BatchSource:
    param = TransformationParameter(**(fields or {}))
    made = Transformer(param, phase, SHAPE, seed=4, name="data")
    return BatchSource(Database(path), batch, made, **settings)


def batches(source: BatchSource, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    out = []
    for _ in range(count):
        size = source.size_at(source.position)
        data = np.empty((size, *source._transformer.output_shape), np.float32)
        labels = np.empty(size, np.float32)
        source.next(data, labels)
        out.append((data, labels))
    return out


def labels_of(source: BatchSource, count: int) -> list[list[int]]:
    return [(labels - 10).astype(int).tolist() for _, labels in batches(source, count)]


def alive() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name.startswith("protonet-data")]


@pytest.mark.parametrize("limit", [None, 0])
def test_caffe_s_order_wraps_in_mid_batch(make_database: Make, limit: int | None) -> None:
    path = make_database()
    with Database(path) as database:
        images = np.stack([decode(datum, "") for _, datum in database])
    source = make_source(path, cache_limit=limit)
    found = batches(source, 5)
    rows = np.arange(15) % 7
    np.testing.assert_array_equal(np.concatenate([data for data, _ in found]), images[rows])
    np.testing.assert_array_equal(np.concatenate([labels for _, labels in found]), 10 + rows)
    assert source.position == 15
    source.close()


@pytest.mark.parametrize("limit", [None, 0])
def test_a_batch_larger_than_the_set(make_database: Make, limit: int | None) -> None:
    source = make_source(make_database(), batch=16, cache_limit=limit)
    assert labels_of(source, 2) == [[i % 7 for i in range(16)], [(16 + i) % 7 for i in range(16)]]
    source.close()


@pytest.mark.parametrize(("fields", "limit"), WAYS)
@pytest.mark.parametrize("shuffle", [False, True])
def test_partial_batches_end_with_the_epoch(
    make_database: Make, fields: dict[str, Any], limit: int | None, shuffle: bool
) -> None:
    path = make_database()
    settings: dict[str, Any] = {"fields": fields, "cache_limit": limit, "shuffle": shuffle}
    source = make_source(path, partial=True, **settings)
    whole = make_source(path, batch=7, **settings)
    expected = [np.concatenate(each) for each in zip(*batches(whole, 3), strict=True)]
    found = batches(source, 9)
    assert [len(labels) for _, labels in found] == [3, 3, 1] * 3
    for ours, theirs in zip(zip(*found, strict=True), expected, strict=True):
        np.testing.assert_array_equal(np.concatenate(ours), theirs)
    taken, resumed = (make_source(path, partial=True, **settings) for _ in range(2))
    for data, labels in found:
        batch = taken.take()
        np.testing.assert_array_equal(batch.data, data)
        np.testing.assert_array_equal(batch.labels, labels)
        taken.give_back(batch)
    assert taken.position == source.position == 21
    resumed.position = 13
    for (data, _), (data0, _) in zip(batches(resumed, 4), found[5:], strict=True):
        np.testing.assert_array_equal(data, data0)
    for each in (source, whole, taken, resumed):
        each.close()


@pytest.mark.parametrize(("fields", "limit"), WAYS)
@pytest.mark.parametrize("shuffle", [False, True])
def test_neither_threads_nor_a_resume_change_anything(
    make_database: Make, fields: dict[str, Any], limit: int | None, shuffle: bool
) -> None:
    path = make_database()
    settings: dict[str, Any] = {"fields": fields, "cache_limit": limit, "shuffle": shuffle}
    source = make_source(path, threads=1, **settings)
    expected = batches(source, 12)
    source.close()
    threaded = make_source(path, threads=5, **settings)
    resumed = make_source(path, **settings)
    batches(resumed, 2)
    resumed.position = 15
    for found, start in ((batches(threaded, 12), 0), (batches(resumed, 7), 5)):
        for (data, labels), (data0, labels0) in zip(found, expected[start:], strict=True):
            np.testing.assert_array_equal(data, data0)
            np.testing.assert_array_equal(labels, labels0)
    threaded.close()
    resumed.close()


@pytest.mark.parametrize("limit", [None, 0])
def test_random_crops_are_those_of_the_transformer(make_database: Make, limit: int | None) -> None:
    path = make_database()
    with Database(path) as database:
        images = [decode(datum, "") for _, datum in database]
    source = make_source(path, fields=RANDOM, cache_limit=limit)
    made = Transformer(TransformationParameter(**RANDOM), TRAIN, SHAPE, seed=4, name="data")
    found = np.concatenate([data for data, _ in batches(source, 6)])
    for index, draw in enumerate(made.draws(0, 18)):
        expected = np.empty(made.output_shape, np.float32)
        made.apply(images[index % 7], expected, draw)
        np.testing.assert_array_equal(found[index], expected)
    source.close()


@pytest.mark.parametrize("limit", [None, 0])
def test_an_epoch_shuffles_every_record(make_database: Make, limit: int | None) -> None:
    source = make_source(make_database(), batch=7, shuffle=True, cache_limit=limit)
    epochs = labels_of(source, 20)
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 15
    source.close()


def test_paired_databases_shuffle_alike(make_database: Make) -> None:
    """Images read by threads with random crops, labels from memory, keys of the same names."""
    path = make_database()
    with Database(path) as database:
        slopes = {
            key.decode(): make_datum(np.array([[[datum.label, 0.5]]], np.float32))
            for key, datum in database
        }
    images = make_source(path, fields=RANDOM, cache_limit=0, shuffle=True, seed=9)
    labels = BatchSource(
        Database(make_database(slopes, "labels")),
        3,
        Transformer(TransformationParameter(), TRAIN, (1, 1, 2), name="label"),
        shuffle=True,
        seed=9,
    )
    for _, expected in batches(images, 12):
        vectors = np.empty((3, 1, 1, 2), np.float32)
        labels.next(vectors)
        np.testing.assert_array_equal(vectors[:, 0, 0, 0], expected)
    images.close()


def test_the_seed_decides_the_order(make_database: Make) -> None:
    path = make_database()
    orders = []
    for seed in (1, 1, 2, -1):
        source = make_source(path, batch=7, shuffle=True, seed=seed)
        orders.append(str(labels_of(source, 3)))
    assert orders[0] == orders[1]
    assert len(set(orders)) == 3


@pytest.mark.parametrize("limit", [None, 0])
def test_records_are_skipped_once(make_database: Make, limit: int | None) -> None:
    source = make_source(make_database(), skip=5, cache_limit=limit)
    assert labels_of(source, 3) == [[5, 6, 0], [1, 2, 3], [4, 5, 6]]
    source.close()


@pytest.mark.parametrize("limit", [None, 0])
@pytest.mark.parametrize("shuffle", [False, True])
def test_records_are_skipped_once_where_batches_are_taken_too(
    make_database: Make, limit: int | None, shuffle: bool
) -> None:
    """A GPU reads by ``take``, a CPU by ``next``: both see the same records."""
    path = make_database()
    settings = {"skip": 4, "cache_limit": limit, "shuffle": shuffle, "seed": 3}
    ahead = make_source(path, **settings)
    expected = batches(ahead, 4)
    ahead.close()
    source = make_source(path, **settings)
    for data, labels in expected:
        batch = source.take()
        np.testing.assert_array_equal(batch.data, data)
        np.testing.assert_array_equal(batch.labels, labels)
        source.give_back(batch)
    source.close()
    if not shuffle:
        assert [(labels - 10).tolist() for _, labels in expected[:2]] == [[4, 5, 6], [0, 1, 2]]


def test_labels_are_optional(make_database: Make) -> None:
    for limit in (None, 0):
        source = make_source(make_database(name=f"db{limit}"), cache_limit=limit)
        data = np.empty((3, *SHAPE), np.float32)
        for _ in range(4):
            source.next(data)
        assert source.position == 12
        source.close()


@pytest.mark.parametrize("shuffle", [False, True])
def test_other_types_of_tops(make_database: Make, shuffle: bool) -> None:
    path = make_database()
    found = []
    for dtype in (np.float32, np.float64):
        source = make_source(path, shuffle=shuffle)
        data = np.empty((3, *SHAPE), dtype)
        source.next(data)
        found.append(data)
    np.testing.assert_array_equal(found[0], found[1])


def test_a_kept_set_needs_neither_threads_nor_files(make_database: Make) -> None:
    path = make_database()
    source = make_source(path)
    assert not alive()
    lmdb.open(str(path), lock=False).close()  # LMDB refuses while it is open elsewhere
    (path / "data.mdb").unlink()
    assert labels_of(source, 1) == [[0, 1, 2]]


def test_a_batch_from_memory_allocates_nothing(make_database: Make) -> None:
    source = make_source(make_database(), batch=7)
    data, labels = np.empty((7, *SHAPE), np.float32), np.empty(7, np.float32)
    source.next(data, labels)
    tracemalloc.start()
    for _ in range(100):
        source.next(data, labels)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < data.nbytes


@pytest.mark.parametrize("limit", [None, 0])
def test_errors_name_the_key(make_database: Make, limit: int | None) -> None:
    good = make_datum(np.zeros(SHAPE, np.uint8))
    bad = make_datum(np.zeros(SHAPE, np.uint8))
    bad.data = bad.data[:-1]
    path = make_database({f"{i:02}": bad if i == 40 else good for i in range(60)})
    expected = r"db: key '40': the record has 29 values, but its shape 2x3x5 needs 30"
    if limit is None:
        with pytest.raises(DataError, match=expected):
            make_source(path)
        assert not alive()
        lmdb.open(str(path), lock=False).close()
        return
    source = make_source(path, batch=20, cache_limit=limit)
    batches(source, 2)
    for _ in range(2):
        with pytest.raises(DataError, match=expected):
            batches(source, 1)
    assert source.position == 40
    source.close()


def test_an_interrupt_loses_no_batch(make_database: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make_source(make_database(), cache_limit=0)
    assert labels_of(source, 1) == [[0, 1, 2]]

    def interrupted(self: Future[Any], timeout: float | None = None) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Future, "result", interrupted)
        with pytest.raises(KeyboardInterrupt):
            labels_of(source, 1)
    assert labels_of(source, 1) == [[3, 4, 5]]
    source.close()


def test_closing_ends_the_threads(make_database: Make) -> None:
    path = make_database()
    source = make_source(path, cache_limit=0, threads=3)
    batches(source, 2)
    assert 1 <= len(alive()) <= 3  # they are started as there is work for them
    source.close()
    source.close()
    assert not alive()
    lmdb.open(str(path), lock=False).close()


def test_a_long_set_is_decoded_in_parts(make_database: Make) -> None:
    records = {
        f"{i:04}": make_datum(np.full(SHAPE, i % 251, np.uint8), label=10 + i) for i in range(600)
    }
    source = make_source(make_database(records), batch=250, phase=TEST)
    found = batches(source, 3)
    labels = np.concatenate([labels for _, labels in found]) - 10
    np.testing.assert_array_equal(labels, np.arange(750) % 600)
    values = np.concatenate([data for data, _ in found])[:, 1, 2, 3]
    np.testing.assert_array_equal(values, labels % 251)


@pytest.mark.parametrize("limit", [None, 0])
@pytest.mark.parametrize("shuffle", [False, True])
def test_batches_that_are_taken_are_those_that_are_copied(
    make_database: Make, limit: int | None, shuffle: bool
) -> None:
    path = make_database()
    expected = labels_of(make_source(path, cache_limit=None, shuffle=shuffle), 9)
    source = make_source(path, cache_limit=limit, shuffle=shuffle)
    found = []
    for _ in range(9):
        batch = source.take()
        found.append(batch.labels.astype(int).tolist())
        source.give_back(batch)
    source.close()
    assert found == [[10 + label for label in labels] for labels in expected]
    assert source.position == 27


def test_what_threads_did_is_told_when_it_is_asked_for(make_database: Make) -> None:
    source = make_source(make_database(), cache_limit=0)
    batches(source, 2)
    assert source.times.worker_times is None
    source.times.worker_times = []
    batches(source, 5)
    source.close()
    worker_times = source.times.worker_times
    assert sum(work.images for work in worker_times) >= 9
    assert all(work.reading > 0 and work.transforming > 0 for work in worker_times)
    assert source.times.waited > 0
