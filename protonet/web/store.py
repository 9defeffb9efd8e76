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

from protonet.errors import FormatError, NoJobError, UsageError
from protonet.web.job_query import JobQuery
from protonet.web.schema import VERSION, bring_up, version_of

DATASET, TRAINING = "dataset", "training"
WAIT, RUN, DONE, ABORT, ERROR = "wait", "run", "done", "abort", "error"
"""DIGITS' names of job states."""
ENDED = (DONE, ABORT, ERROR)

_NEEDS = "(SELECT group_concat(needed) FROM needs WHERE job = jobs.id)"
_AT_ONCE = 500
"""Values in one statement."""
_COLUMNS = (
    "id", "kind", "name", "notes", "status", "error", "place", "created", "started", "ended",
    "aborted", "group", "revision", "task", "settings",
)  # fmt: skip
_QUOTED = ", ".join(f'"{name}"' for name in _COLUMNS)
_REVISION = (
    "max((SELECT coalesce(max(revision), 0) FROM jobs), "
    "(SELECT coalesce(max(revision), 0) FROM removals))"
)


@dataclass(frozen=True)
class Job:
    """The creation of a data set, or a training.

    ``task`` is from ``jobs.tasks.task.write_task``; empty if there is nothing to run.
    ``needs`` are the jobs that it depends on: its data set, the training of its initial weights.
    ``group`` is the name of the jobs it belongs to, such as a sweep; empty for none. ``revision``
    grows with every change of any job.
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
    group: str = ""
    revision: int = 0


@dataclass(frozen=True)
class Page:
    """A part of a list of jobs, and the number of jobs in the whole list."""

    jobs: list[Job]
    total: int


@dataclass(frozen=True)
class Changed:
    """The revision until which changes are told; changed jobs, the oldest change first, and the
    ids of removed ones.
    """

    revision: int
    jobs: list[Job]
    removed: list[str]


class Store:
    """The jobs of a workspace. Safe for several threads and processes.

    Raises:
        FormatError: for a file that is not such a database.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        try:
            self._sql = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._sql.execute("PRAGMA journal_mode = WAL")
            if version_of(self._sql) > VERSION:
                version = version_of(self._sql)
                raise FormatError(f"{path}: was made by a newer version of protonet ({version})")
            if version_of(self._sql) < VERSION:
                with self._changing():
                    bring_up(self._sql)
        except sqlite3.Error as error:
            raise FormatError(f"{path}: not a database of protonet serve: {error}") from error

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._sql.close()

    def add(self, kind: str, name: str, **values: Any) -> Job:
        """A new job, by default last in the queue."""
        with self._changing():
            (last,) = self._sql.execute("SELECT coalesce(max(place), 0) FROM jobs").fetchone()
            job = Job(self._free_id(), kind, name, place=last + 1, created=time.time(),
                      revision=self.revision() + 1, **values)  # fmt: skip
            marks = ", ".join("?" * len(_COLUMNS))
            self._sql.execute(f"INSERT INTO jobs ({_QUOTED}) VALUES ({marks})", _row(job))
            self._sql.executemany(
                "INSERT INTO needs VALUES (?, ?)", [(job.id, needed) for needed in job.needs]
            )
        return job

    def _free_id(self) -> str:
        """An id that no job has: of thousands in a second, two would draw the same."""
        while True:
            job_id = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
            if not self.some([job_id]):
                return job_id

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
            job = replace(self.get(job_id), **values, revision=self.revision() + 1)
            sets = ", ".join(f'"{name}" = ?' for name in _COLUMNS[1:])
            self._sql.execute(f"UPDATE jobs SET {sets} WHERE id = ?", (*_row(job)[1:], job_id))
        return job

    def last(self, job_id: str, **values: Any) -> Job:
        """Put a job at the end of the queue, where it has not run."""
        with self._changing():
            (last,) = self._sql.execute("SELECT coalesce(max(place), 0) FROM jobs").fetchone()
            values = {"started": None, "ended": None, **values}
            return self.update(job_id, place=last + 1, status=WAIT, **values)

    def users(self, job_id: str, most: int = -1) -> list[Job]:
        """The jobs that need this one, the oldest first, at most so many; -1 for all."""
        rows = "SELECT job FROM needs WHERE needed = ?"
        return self._select(f"WHERE id IN ({rows}) ORDER BY number LIMIT ?", job_id, most)

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
            UsageError: when other jobs need it, with their number and the names of the first.
        """
        with self._changing():
            (count,) = self._sql.execute(
                "SELECT count(*) FROM needs WHERE needed = ?", (job_id,)
            ).fetchone()
            if count:
                raise UsageError(_needed(count, [each.name for each in self.users(job_id, 5)]))
            revision = self.revision() + 1
            self._sql.execute("INSERT INTO removals VALUES (?, ?)", (revision, job_id))
            self._sql.execute("DELETE FROM needs WHERE job = ?", (job_id,))
            self._sql.execute("DELETE FROM jobs WHERE id = ?", (job_id,))

    def page(self, query: JobQuery, offset: int = 0, count: int | None = None) -> Page:
        """Jobs of a list, ``count`` of them (all for None) from ``offset`` on."""
        where, values = query.where()
        ids = self.ids(query, offset, count)
        with self._lock:
            (total,) = self._sql.execute(
                f"SELECT count(*) FROM jobs WHERE {where}", values
            ).fetchone()
        return Page(self.some(ids), total)

    def ids(self, query: JobQuery, offset: int = 0, count: int | None = None) -> list[str]:
        """The ids of the jobs of a list, in its order."""
        where, values = query.where()
        with self._lock:
            rows = self._sql.execute(
                f"SELECT id FROM jobs WHERE {where} ORDER BY {query.order()} LIMIT ? OFFSET ?",
                (*values, -1 if count is None else count, offset),
            ).fetchall()
        return [job_id for (job_id,) in rows]

    def some(self, job_ids: Sequence[str]) -> list[Job]:
        """The jobs with these ids, in this order, without those that are gone."""
        found: dict[str, Job] = {}
        for start in range(0, len(job_ids), _AT_ONCE):
            part = job_ids[start : start + _AT_ONCE]
            jobs = self._select(f"WHERE id IN ({', '.join('?' * len(part))})", *part)
            found |= {job.id: job for job in jobs}
        return [found[job_id] for job_id in job_ids if job_id in found]

    def groups(self, kind: str | None = None) -> dict[str, int]:
        """The number of jobs in each group, by name."""
        where, values = JobQuery(kind).where()
        with self._lock:
            rows = self._sql.execute(
                f'SELECT "group", count(*) FROM jobs WHERE {where} AND "group" != \'\' '
                'GROUP BY "group" ORDER BY "group" COLLATE NOCASE',
                values,
            ).fetchall()
        return dict(rows)

    def put_into(self, group: str, job_ids: Sequence[str]) -> int:
        """Put jobs into a group, or out of theirs if it is empty; return how many there were."""
        changed = 0
        with self._changing():
            revision = self.revision() + 1
            for start in range(0, len(job_ids), _AT_ONCE):
                part = job_ids[start : start + _AT_ONCE]
                marks = ", ".join("?" * len(part))
                changed += self._sql.execute(
                    f'UPDATE jobs SET "group" = ?, revision = ? WHERE id IN ({marks})',
                    (group, revision, *part),
                ).rowcount
        return changed

    def revision(self) -> int:
        """A number that grows with every change of any job."""
        with self._lock:
            (revision,) = self._sql.execute(f"SELECT {_REVISION}").fetchone()
        return int(revision)

    def changed(self, since: int) -> Changed:
        """What has changed after a revision."""
        with self._lock:
            now = self.revision()  # what changes while this reads is told again
            rows = self._sql.execute("SELECT job FROM removals WHERE revision > ?", (since,))
            removed = [job_id for (job_id,) in rows.fetchall()]
            jobs = self._select("WHERE revision > ? ORDER BY revision", since)
            return Changed(now, jobs, removed)

    @contextmanager
    def together(self) -> Iterator[None]:
        """One transaction for several changes: all happen, or none."""
        with self._changing():
            yield

    def _select(self, rest: str, *values: Any) -> list[Job]:
        with self._lock:
            rows = self._sql.execute(
                f"SELECT {_QUOTED}, {_NEEDS} FROM jobs {rest}", values
            ).fetchall()
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


def _needed(count: int, names: Sequence[str]) -> str:
    """Why a job cannot be removed: the first of the jobs that need it."""
    named = ", ".join(f"'{name}'" for name in names)
    if count > len(names):
        named += f" and {count - len(names):,} more"
    return f"other jobs need it: {named}; delete these first"


def _job(row: Sequence[Any]) -> Job:
    values = dict(zip(_COLUMNS, row, strict=False))
    values["settings"] = json.loads(values["settings"])
    return Job(**values, needs=tuple(row[-1].split(",")) if row[-1] else ())


def _row(job: Job) -> tuple[Any, ...]:
    values = {name: getattr(job, name) for name in _COLUMNS}
    values["settings"] = json.dumps(job.settings)
    return tuple(values[name] for name in _COLUMNS)
