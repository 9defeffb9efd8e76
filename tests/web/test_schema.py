"""Databases of older servers are brought up to the tables of today."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from protonet.jobs.run.settings import RunSettings
from protonet.jobs.tasks.datasets import MakeGradients
from protonet.jobs.tasks.task import read_task
from protonet.jobs.tasks.trainings import ResumeRun, TrainNetwork
from protonet.web.site import Site
from protonet.web.store import ABORT, DATASET, DONE, TRAINING, WAIT, Store
from protonet.web.workspace import Workspace

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
