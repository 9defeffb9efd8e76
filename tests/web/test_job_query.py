"""Lists of jobs are filtered, sorted and paged by the database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from protonet.web.job_query import SORTS, JobQuery
from protonet.web.store import DATASET, DONE, ERROR, RUN, TRAINING, Store


@pytest.fixture
def store(tmp_path: Path) -> Any:
    store = Store(tmp_path / "x.sqlite")
    first, second = store.add(DATASET, "Digits 10%"), store.add(DATASET, "faces")
    rows = [
        ("b", DONE, (first.id,), "sweep", 10.0, 30.0),
        ("A", ERROR, (second.id,), "", 50.0, 55.0),
        ("c_1", RUN, (first.id,), "sweep", None, None),
        ("c21", DONE, (), "other", 5.0, 100.0),
    ]
    for number, (name, status, needs, group, started, ended) in enumerate(rows):
        job = store.add(TRAINING, name, needs=needs, group=group)
        store.update(job.id, status=status, started=started, ended=ended, created=100.0 + number)
    yield store
    store.close()


def names(store: Store, **query: Any) -> str:
    page = store.page(JobQuery(TRAINING, **query))
    assert page.total == len(page.jobs)
    return " ".join(job.name for job in page.jobs)


def test_filters(store: Store) -> None:
    assert names(store) == "c21 c_1 A b"
    assert names(store, status=(DONE, RUN)) == "c21 c_1 b"
    assert names(store, name="C") == "c21 c_1"
    assert names(store, name="c_") == "c_1"  # no wildcard
    assert names(store, group="sweep") == "c_1 b"
    assert names(store, group="") == "A"
    assert names(store, dataset="10%") == names(store, dataset="digits") == "c_1 b"
    faces = store.page(JobQuery(DATASET, name="faces")).jobs[0].id
    assert names(store, dataset=faces) == "A"
    assert names(store, since=101.0, before=103.0) == "c_1 A"
    assert names(store, group="sweep", status=(DONE,), name="b", dataset="dig") == "b"


def test_orders(store: Store) -> None:
    assert names(store, sort="name", descending=False) == "A b c21 c_1"
    assert names(store, sort="seconds") == "c21 b A c_1"
    assert names(store, sort="seconds", descending=False) == "A b c21 c_1"
    assert names(store, sort="dataset", descending=False) == "b c_1 A c21"
    assert names(store, sort="group", descending=False) == "A c21 b c_1"
    assert names(store, sort="status", descending=False) == "b c21 A c_1"
    for sort in SORTS:
        assert len(names(store, sort=sort).split()) == 4


def test_pages(store: Store) -> None:
    page = store.page(JobQuery(TRAINING), 1, 2)
    assert ([job.name for job in page.jobs], page.total) == (["c_1", "A"], 4)
    assert store.page(JobQuery(TRAINING), 9, 2).jobs == []
    assert store.page(JobQuery(TRAINING, name="nothing")).total == 0
