"""Jobs are kept, found again, ordered, and not removed while others need them."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from protonet.errors import FormatError, UsageError
from protonet.web.store import DATASET, DONE, RUN, TRAINING, WAIT, Store


def test_jobs_survive_their_server(tmp_path: Path) -> None:
    store = Store(tmp_path / "x.sqlite")
    data = store.add(DATASET, "data", command=("create-db", "x"), settings={"a": [1, None]})
    net = store.add(TRAINING, "net \u00fc", needs=(data.id,), notes="n")
    store.update(net.id, status=RUN, started=12.5)
    store.close()
    again = Store(tmp_path / "x.sqlite")
    found = again.get(net.id)
    assert (found.name, found.needs, found.notes, found.status, found.started) == (
        "net \u00fc", (data.id,), "n", RUN, 12.5,
    )  # fmt: skip
    assert again.get(data.id).command == ("create-db", "x")
    assert again.get(data.id).settings == {"a": [1, None]}
    assert [job.id for job in again.all()] == [net.id, data.id]
    assert [job.id for job in again.all(DATASET)] == [data.id]
    assert again.all(status=[DONE]) == []
    again.close()


def test_who_waits_again_waits_behind_all(tmp_path: Path) -> None:
    store = Store(tmp_path / "x.sqlite")
    jobs = [store.add(TRAINING, str(n)) for n in range(3)]
    store.last(jobs[0].id)
    waiting = sorted(store.all(status=[WAIT]), key=lambda job: job.place)
    assert [job.name for job in waiting] == ["1", "2", "0"]
    store.close()


def test_needed_jobs_stay(tmp_path: Path) -> None:
    store = Store(tmp_path / "x.sqlite")
    data = store.add(DATASET, "data")
    net = store.add(TRAINING, "net", needs=(data.id,))
    assert [job.id for job in store.users(data.id)] == [net.id]
    with pytest.raises(UsageError, match="others need it: 'net'"):
        store.remove(data.id)
    store.remove(net.id)
    store.remove(data.id)
    assert store.all() == []
    with pytest.raises(UsageError, match="there is no job"):
        store.get(data.id)
    store.close()


def test_several_threads_and_servers(tmp_path: Path) -> None:
    stores = [Store(tmp_path / "x.sqlite") for _ in range(2)]

    def work(store: Store) -> None:
        for number in range(20):
            job = store.add(TRAINING, str(number))
            store.update(job.id, status=DONE)

    threads = [threading.Thread(target=work, args=(stores[n % 2],)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    jobs = stores[0].all(status=[DONE])
    assert len(jobs) == len({job.id for job in jobs}) == len({job.place for job in jobs}) == 80
    for store in stores:
        store.close()


def test_other_files(tmp_path: Path) -> None:
    (tmp_path / "x.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(FormatError, match="is no database of protonet serve"):
        Store(tmp_path / "x.sqlite")
    store = Store(tmp_path / "y.sqlite")
    store._sql.execute("PRAGMA user_version = 99")
    store.close()
    with pytest.raises(FormatError, match="another version"):
        Store(tmp_path / "y.sqlite")
