"""Jobs are kept, found again, ordered, and not removed while others need them."""

from __future__ import annotations

import json
import sqlite3
import threading
from pathlib import Path

import pytest

from protonet.errors import FormatError, UsageError
from protonet.jobs.run.settings import RunSettings
from protonet.jobs.tasks.datasets import MakeGradients
from protonet.jobs.tasks.task import read_task
from protonet.jobs.tasks.trainings import ResumeRun, TrainNetwork
from protonet.web.site import Site
from protonet.web.store import ABORT, DATASET, DONE, RUN, TRAINING, WAIT, Store
from protonet.web.workspace import Workspace


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


OLD = """
CREATE TABLE jobs (
  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, kind TEXT NOT NULL,
  name TEXT NOT NULL, notes TEXT NOT NULL, status TEXT NOT NULL, error TEXT NOT NULL,
  place INTEGER NOT NULL, created REAL NOT NULL, started REAL, ended REAL, aborted REAL,
  command TEXT NOT NULL, settings TEXT NOT NULL
);
CREATE TABLE needs (job TEXT NOT NULL, needed TEXT NOT NULL, PRIMARY KEY (job, needed));
PRAGMA user_version = 1;
"""
"""The tables as they were before tasks."""


def test_jobs_of_a_server_before_groups(tmp_path: Path) -> None:
    """Tables of version 2, with its indexes."""
    sql = sqlite3.connect(tmp_path / "x.sqlite", isolation_level=None)
    sql.executescript(OLD.replace("command TEXT", "task TEXT").replace("= 1;", "= 2;"))
    sql.execute("CREATE INDEX jobs_of_status ON jobs (status)")
    sql.execute("CREATE INDEX users_of_jobs ON needs (needed, job)")
    sql.execute(
        "INSERT INTO jobs (id, kind, name, notes, status, error, place, created, task, settings) "
        "VALUES ('d', 'dataset', 'data', 'told', 'done', '', 1, 1.5, 'x', '{}')"
    )
    sql.close()
    for _ in range(2):
        store = Store(tmp_path / "x.sqlite")
        (job,) = store.all()
        assert (job.name, job.notes, job.task, job.group) == ("data", "told", "x", "")
        store.put_into("g", ["d"])
        assert store.changed(job.revision).jobs[0].group == "g"
        store.put_into("", ["d"])
        store.close()


def make_old(path: Path) -> None:
    """A database of before: a data set that is done, a training that waits, and oddities."""
    jobs = [
        ("d", DATASET, DONE, ["create-db", "gradients", "data", "-x", "6", "-c", "9"]),
        ("t", TRAINING, WAIT, ["train", "net.prototxt", "--data", "/i", "--epochs", "2.5"]),
        ("r", TRAINING, ABORT, ["train", "--resume", "/run"]),
        ("n", DATASET, DONE, []),
        ("x", TRAINING, WAIT, ["time", "-model", "net.prototxt"]),
    ]
    sql = sqlite3.connect(path, isolation_level=None)
    sql.executescript(OLD)
    for place, (job, kind, status, command) in enumerate(jobs, 1):
        sql.execute(
            "INSERT INTO jobs (id, kind, name, notes, status, error, place, created, started, "
            "ended, aborted, command, settings) VALUES (?,?,?,'told',?,'',?,1.5,2.5,3.5,?,?,?)",
            (job, kind, f"job {job}", status, place, None, json.dumps(command), '{"form": {}}'),
        )
    sql.execute("INSERT INTO needs VALUES ('t', 'd')")
    sql.close()


def test_jobs_of_a_server_before_tasks(tmp_path: Path) -> None:
    make_old(tmp_path / "x.sqlite")
    for _ in range(2):  # brought up, then read as it is
        store = Store(tmp_path / "x.sqlite")
        found = {job.id: job for job in store.all()}
        assert list(found) == ["x", "n", "r", "t", "d"]
        data = found["d"]
        assert (data.name, data.notes, data.status) == ("job d", "told", DONE)
        assert (data.created, data.started, data.ended) == (1.5, 2.5, 3.5)
        assert read_task(data.task, "d") == MakeGradients(folder=Path("data"), width=6, count=9)
        assert (found["t"].needs, found["t"].status) == (("d",), WAIT)
        assert read_task(found["t"].task, "t") == TrainNetwork(
            Path("net.prototxt"), RunSettings(Path("/i"), epochs=2.5)
        )
        assert read_task(found["r"].task, "r") == ResumeRun(Path("/run"))
        assert found["n"].task == found["x"].task == ""
        store.close()


def test_an_old_job_that_waits_is_done(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path)
    make_old(workspace.database)
    site = Site(workspace)
    again = site.store.last("d")
    for job in ("d", "x", "t"):
        (workspace.folder / "jobs" / job).mkdir()
    site.queue.start()
    assert site.wait(again.id, 60).status == DONE
    assert (site.folder(again) / "data" / "train_images").is_dir()
    assert "submit it again" in site.wait("x", 60).error
    assert "net.prototxt" in site.wait("t", 60).error  # its text was never there
    site.close()
