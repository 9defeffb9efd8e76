"""Jobs are kept, found again, ordered, and not removed while others need them."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from protonet.errors import FormatError, UsageError
from protonet.web import store as store_module
from protonet.web.store import DATASET, DONE, RUN, TRAINING, WAIT, Store


def test_jobs_survive_their_server(tmp_path: Path) -> None:
    store = Store(tmp_path / "x.sqlite")
    data = store.add(DATASET, "data", task='{"task": "x"}', settings={"a": [1, None]})
    net = store.add(TRAINING, "net \u00fc", needs=(data.id,), notes="n")
    store.update(net.id, status=RUN, started=12.5)
    store.close()
    again = Store(tmp_path / "x.sqlite")
    found = again.get(net.id)
    assert (found.name, found.needs, found.notes, found.status, found.started) == (
        "net \u00fc", (data.id,), "n", RUN, 12.5,
    )  # fmt: skip
    assert again.get(data.id).task == '{"task": "x"}'
    assert again.get(data.id).settings == {"a": [1, None]}
    assert [job.id for job in again.all()] == [net.id, data.id]
    assert [job.id for job in again.all(DATASET)] == [data.id]
    assert again.all(status=[DONE]) == []
    again.close()


def test_ids_that_were_drawn_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs of the same second draw again until their ids differ."""
    drawn = iter(["aaaaaa", "aaaaaa", "aaaaaa", "bbbbbb"])
    monkeypatch.setattr(store_module.time, "strftime", lambda _: "20260102-030405")
    monkeypatch.setattr(store_module.secrets, "token_hex", lambda _: next(drawn))
    store = Store(tmp_path / "jobs.db")
    ids = [store.add(DATASET, name).id for name in ("first", "second")]
    assert ids == ["20260102-030405-aaaaaa", "20260102-030405-bbbbbb"]
    store.close()


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
    other = store.add(TRAINING, "other", needs=(net.id, data.id))
    assert [job.id for job in store.users(data.id)] == [net.id, other.id]
    ids = [data.id, other.id, net.id]
    assert store.users_of(ids) == {data.id: [net.id, other.id], other.id: [], net.id: [other.id]}
    assert set(store.get(other.id).needs) == {net.id, data.id}
    store.remove(other.id)
    with pytest.raises(UsageError, match="other jobs need it: 'net'"):
        store.remove(data.id)
    store.remove(net.id)
    store.remove(data.id)
    assert store.all() == []
    with pytest.raises(UsageError, match="there is no job"):
        store.get(data.id)
    store.close()


def test_of_many_users_the_first_and_a_count_are_told(tmp_path: Path) -> None:
    store = Store(tmp_path / "x.sqlite")
    data = store.add(DATASET, "data")
    for number in range(6):
        store.add(TRAINING, f"net {number}", needs=(data.id,))
    with pytest.raises(UsageError) as told:
        store.remove(data.id)
    names = ", ".join(f"'net {number}'" for number in range(5))
    assert str(told.value) == f"other jobs need it: {names} and 1 more; delete these first"
    store.close()


def test_revisions_only_grow(tmp_path: Path) -> None:
    store = Store(tmp_path / "x.sqlite")
    first, second = store.add(DATASET, "a"), store.add(DATASET, "b")
    before = store.revision()
    store.remove(second.id)
    found = store.changed(before)
    assert (found.jobs, found.removed) == ([], [second.id])
    assert found.revision == store.revision() > before
    store.update(first.id, name="c")
    assert [job.name for job in store.changed(found.revision).jobs] == ["c"]
    store.close()


def test_a_transaction_of_several_changes(tmp_path: Path) -> None:
    store = Store(tmp_path / "x.sqlite")
    job = store.add(DATASET, "a")

    def change() -> None:
        with store.together():
            store.update(job.id, name="b")
            store.remove("nowhere")
            raise UsageError("no")

    with pytest.raises(UsageError, match="no"):
        change()
    assert store.get(job.id).name == "a"
    store.close()


def test_the_queue_reads_no_ended_jobs(tmp_path: Path) -> None:
    """What it asks for ten times a second is found by indexes alone."""
    store = Store(tmp_path / "x.sqlite")
    for query in (
        "SELECT id FROM jobs WHERE status IN ('run') ORDER BY number DESC",
        "SELECT max((SELECT coalesce(max(revision), 0) FROM jobs), 0)",
    ):
        plan = " ".join(row[3] for row in store._sql.execute(f"EXPLAIN QUERY PLAN {query}"))
        assert "INDEX jobs_of_" in plan
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
    with pytest.raises(FormatError, match="not a database of protonet serve"):
        Store(tmp_path / "x.sqlite")
    store = Store(tmp_path / "y.sqlite")
    store._sql.execute("PRAGMA user_version = 99")
    store.close()
    with pytest.raises(FormatError, match="newer version"):
        Store(tmp_path / "y.sqlite")
