"""The jobs of a workspace, in an SQLite database."""

from __future__ import annotations

import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from protonet.errors import FormatError, NoJobError, ProtonetError, UsageError
from protonet.jobs.tasks.task import write_task
from protonet.web.old_commands import task_of

DATASET, TRAINING = "dataset", "training"
WAIT, RUN, DONE, ABORT, ERROR = "wait", "run", "done", "abort", "error"
"""DIGITS' names of job states."""
ENDED = (DONE, ABORT, ERROR)

_VERSION = 2
"""Version of the schema. The first had a command line instead of the task."""
_TABLES = """
CREATE TABLE jobs (
  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, kind TEXT NOT NULL,
  name TEXT NOT NULL, notes TEXT NOT NULL, status TEXT NOT NULL, error TEXT NOT NULL,
  place INTEGER NOT NULL, created REAL NOT NULL, started REAL, ended REAL, aborted REAL,
  task TEXT NOT NULL, settings TEXT NOT NULL
);
CREATE TABLE needs (job TEXT NOT NULL, needed TEXT NOT NULL, PRIMARY KEY (job, needed));
"""
_INDEXES = (
    "CREATE INDEX IF NOT EXISTS jobs_of_status ON jobs (status)",
    "CREATE INDEX IF NOT EXISTS users_of_jobs ON needs (needed, job)",
)
"""Not part of the version: older servers can open a database that has them."""
_NEEDS = "(SELECT group_concat(needed) FROM needs WHERE job = jobs.id)"
_AT_ONCE = 500
"""Values in one statement."""
_COLUMNS = (
    "id", "kind", "name", "notes", "status", "error", "place", "created", "started", "ended",
    "aborted", "task", "settings",
)  # fmt: skip


@dataclass(frozen=True)
class Job:
    """The creation of a data set, or a training.

    ``task`` is from ``jobs.tasks.task.write_task``; empty if there is nothing to run.
    ``needs`` are the jobs that it depends on: its data set, the training of its initial weights.
    ``place`` orders waiting jobs. ``aborted`` is the time of the request to stop; times are seconds
    since 1970.
    """

    id: str
    kind: str
    name: str
    task: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    notes: str = ""
    status: str = WAIT
    error: str = ""
    place: int = 0
    created: float = 0.0
    started: float | None = None
    ended: float | None = None
    aborted: float | None = None


class Store:
    """The jobs of a workspace. Safe for several threads and processes.

    Raises:
        FormatError: for a file that is not such a database.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self.changes = 0
        """How often jobs were changed by this object, which nobody does beside the server's."""
        try:
            self._sql = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._sql.execute("PRAGMA journal_mode = WAL")
            self._bring_up(path)
            for index in _INDEXES:
                self._sql.execute(index)
        except sqlite3.Error as error:
            raise FormatError(f"{path}: not a database of protonet serve: {error}") from error

    def _bring_up(self, path: Path) -> None:
        """Create the tables, or migrate those of an older protonet."""
        if self._version() == _VERSION:
            return
        with self._changing():
            version = self._version()
            if version == 0:
                for statement in _TABLES.split(";"):
                    self._sql.execute(statement)
            elif version == 1:
                self._raise_from_1()
            elif version != _VERSION:
                raise FormatError(f"{path}: was made by another version of protonet ({version})")
            self._sql.execute(f"PRAGMA user_version = {_VERSION}")

    def _version(self) -> int:
        (version,) = self._sql.execute("PRAGMA user_version").fetchone()
        return int(version)

    def _raise_from_1(self) -> None:
        """Migrate command lines to tasks; unknown ones get no task."""
        self._sql.execute("ALTER TABLE jobs ADD COLUMN task TEXT NOT NULL DEFAULT ''")
        for number, command in self._sql.execute("SELECT number, command FROM jobs").fetchall():
            task = _task_of(command)
            self._sql.execute("UPDATE jobs SET task = ? WHERE number = ?", (task, number))
        self._sql.execute("ALTER TABLE jobs DROP COLUMN command")

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._sql.close()

    def add(self, kind: str, name: str, **values: Any) -> Job:
        """A new job, by default last in the queue."""
        with self._changing():
            (last,) = self._sql.execute("SELECT coalesce(max(place), 0) FROM jobs").fetchone()
            stamp = time.strftime("%Y%m%d-%H%M%S")
            job = Job(f"{stamp}-{secrets.token_hex(3)}", kind, name, place=last + 1,
                      created=time.time(), **values)  # fmt: skip
            marks = ", ".join("?" * len(_COLUMNS))
            self._sql.execute(
                f"INSERT INTO jobs ({', '.join(_COLUMNS)}) VALUES ({marks})", _row(job)
            )
            self._sql.executemany(
                "INSERT INTO needs VALUES (?, ?)", [(job.id, needed) for needed in job.needs]
            )
        return job

    def get(self, job_id: str) -> Job:
        """The job with this id.

        Raises:
            UsageError: when there is none.
        """
        found = self._select("WHERE id = ?", job_id)
        if not found:
            raise NoJobError(f"there is no job '{job_id[:80]}'")
        return found[0]

    def all(self, kind: str | None = None, status: Sequence[str] = ()) -> list[Job]:
        """The jobs, the newest first, optionally of a kind and in one of these states."""
        where, values = [], []
        if kind is not None:
            where.append("kind = ?")
            values.append(kind)
        if status:
            where.append(f"status IN ({', '.join('?' * len(status))})")
            values += status
        text = f"WHERE {' AND '.join(where)}" if where else ""
        return self._select(f"{text} ORDER BY number DESC", *values)

    def update(self, job_id: str, **values: Any) -> Job:
        """Set values of a job."""
        with self._changing():
            job = replace(self.get(job_id), **values)
            sets = ", ".join(f"{name} = ?" for name in _COLUMNS[1:])
            self._sql.execute(f"UPDATE jobs SET {sets} WHERE id = ?", (*_row(job)[1:], job_id))
        return job

    def last(self, job_id: str, **values: Any) -> Job:
        """Put a job at the end of the queue."""
        with self._changing():
            (last,) = self._sql.execute("SELECT coalesce(max(place), 0) FROM jobs").fetchone()
            return self.update(job_id, place=last + 1, status=WAIT, **values)

    def users(self, job_id: str) -> list[Job]:
        """The jobs that need this one."""
        rows = "SELECT job FROM needs WHERE needed = ?"
        return self._select(f"WHERE id IN ({rows}) ORDER BY number", job_id)

    def users_of(self, job_ids: Sequence[str]) -> dict[str, list[str]]:
        """The ids of the jobs that need each of these, the oldest first."""
        found: dict[str, list[str]] = {job_id: [] for job_id in job_ids}
        with self._lock:
            for start in range(0, len(job_ids), _AT_ONCE):
                part = job_ids[start : start + _AT_ONCE]
                rows = self._sql.execute(
                    "SELECT needed, job FROM needs JOIN jobs ON jobs.id = needs.job "
                    f"WHERE needed IN ({', '.join('?' * len(part))}) ORDER BY number",
                    part,
                )
                for needed, user in rows.fetchall():
                    found[needed].append(user)
        return found

    def remove(self, job_id: str) -> None:
        """Remove a job.

        Raises:
            UsageError: when other jobs need it.
        """
        with self._changing():
            users = self.users(job_id)
            if users:
                names = ", ".join(f"'{job.name}'" for job in users[:5])
                raise UsageError(f"other jobs need it: {names}; delete these first")
            self._sql.execute("DELETE FROM needs WHERE job = ?", (job_id,))
            self._sql.execute("DELETE FROM jobs WHERE id = ?", (job_id,))

    def _select(self, rest: str, *values: Any) -> list[Job]:
        columns = f"{', '.join(_COLUMNS)}, {_NEEDS}"
        with self._lock:
            rows = self._sql.execute(f"SELECT {columns} FROM jobs {rest}", values).fetchall()
        return [_job(row) for row in rows]

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """A transaction; transactions may be nested."""
        with self._lock:
            if self._sql.in_transaction:
                yield
                return
            self._sql.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._sql.execute("ROLLBACK")
                raise
            self._sql.execute("COMMIT")
            self.changes += 1


def _task_of(command: str) -> str:
    """The task of an old command line as JSON; empty if it has none."""
    try:
        return write_task(task_of(json.loads(command)))
    except (ValueError, TypeError, ProtonetError):
        return ""


def _job(row: Sequence[Any]) -> Job:
    values = dict(zip(_COLUMNS, row, strict=False))
    values["settings"] = json.loads(values["settings"])
    return Job(**values, needs=tuple(row[-1].split(",")) if row[-1] else ())


def _row(job: Job) -> tuple[Any, ...]:
    values = {name: getattr(job, name) for name in _COLUMNS}
    values["settings"] = json.dumps(job.settings)
    return tuple(values[name] for name in _COLUMNS)
