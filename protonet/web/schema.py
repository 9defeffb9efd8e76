"""The tables of a workspace's database, and their migration from older versions."""

from __future__ import annotations

import json
import sqlite3

from protonet.errors import ProtonetError
from protonet.jobs.tasks.task import write_task
from protonet.web.old_commands import task_of

VERSION = 3
"""The first had a command line instead of the task; the second no groups and revisions."""
_TABLES = (
    """CREATE TABLE jobs (
  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, kind TEXT NOT NULL,
  name TEXT NOT NULL, notes TEXT NOT NULL, status TEXT NOT NULL, error TEXT NOT NULL,
  place INTEGER NOT NULL, created REAL NOT NULL, started REAL, ended REAL, aborted REAL,
  "group" TEXT NOT NULL DEFAULT '', revision INTEGER NOT NULL DEFAULT 0,
  task TEXT NOT NULL, settings TEXT NOT NULL
)""",
    "CREATE TABLE needs (job TEXT NOT NULL, needed TEXT NOT NULL, PRIMARY KEY (job, needed))",
)
_ADDED = (
    # What has been removed, so that revisions never go back and clients are told of it.
    "CREATE TABLE IF NOT EXISTS removals (revision INTEGER PRIMARY KEY, job TEXT NOT NULL)",
    "CREATE INDEX IF NOT EXISTS jobs_of_status ON jobs (status, place)",
    "CREATE INDEX IF NOT EXISTS jobs_of_place ON jobs (place)",
    "CREATE INDEX IF NOT EXISTS jobs_of_revision ON jobs (revision)",
    'CREATE INDEX IF NOT EXISTS jobs_of_group ON jobs (kind, "group")',
    "CREATE INDEX IF NOT EXISTS jobs_of_name ON jobs (kind, name COLLATE NOCASE, status)",
    "CREATE INDEX IF NOT EXISTS jobs_of_created ON jobs (kind, created, status)",
    "CREATE INDEX IF NOT EXISTS jobs_by_created ON jobs (created)",
    "CREATE INDEX IF NOT EXISTS users_of_jobs ON needs (needed, job)",
)


def version_of(sql: sqlite3.Connection) -> int:
    """The version of a database's tables; 0 for a new file."""
    (version,) = sql.execute("PRAGMA user_version").fetchone()
    return int(version)


def bring_up(sql: sqlite3.Connection) -> None:
    """Create the tables, or migrate those of an older version; call it in a transaction."""
    version = version_of(sql)
    if version == 0:
        for statement in _TABLES:
            sql.execute(statement)
    if version == 1:
        _raise_from_1(sql)
    if version in (1, 2):
        sql.execute("ALTER TABLE jobs ADD COLUMN \"group\" TEXT NOT NULL DEFAULT ''")
        sql.execute("ALTER TABLE jobs ADD COLUMN revision INTEGER NOT NULL DEFAULT 0")
        sql.execute("DROP INDEX IF EXISTS jobs_of_status")
    for statement in _ADDED:
        sql.execute(statement)
    sql.execute(f"PRAGMA user_version = {VERSION}")


def _raise_from_1(sql: sqlite3.Connection) -> None:
    """Migrate command lines to tasks; unknown ones get no task."""
    sql.execute("ALTER TABLE jobs ADD COLUMN task TEXT NOT NULL DEFAULT ''")
    for number, command in sql.execute("SELECT number, command FROM jobs").fetchall():
        task = _task_of(command)
        sql.execute("UPDATE jobs SET task = ? WHERE number = ?", (task, number))
    sql.execute("ALTER TABLE jobs DROP COLUMN command")


def _task_of(command: str) -> str:
    """The task of an old command line as JSON; empty if it has none."""
    try:
        return write_task(task_of(json.loads(command)))
    except (ValueError, TypeError, ProtonetError):
        return ""
