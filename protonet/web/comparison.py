"""Comparison of the trainings of a workspace: settings that differ, and best values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from protonet.errors import ProtonetError, UsageError
from protonet.jobs.comparison.best import (
    TRAINING_LOSS,
    VALIDATION_LOSS,
    Curve,
    best_values,
    without_copies,
)
from protonet.jobs.comparison.table import Row, Table, settings_of, table_of
from protonet.jobs.json_form import to_json
from protonet.jobs.run.directory import RunDirectory
from protonet.jobs.tasks.task import read_task
from protonet.jobs.tasks.trainings import TrainNetwork
from protonet.web.job_query import JobQuery
from protonet.web.metrics import METRICS
from protonet.web.progress import pause_of, run_of
from protonet.web.recent import Recent, file_stamp
from protonet.web.site import Site
from protonet.web.store import TRAINING, Job

MOST = 500
"""Trainings of one table."""
_ROWS: Recent[Row] = Recent(2000)


@dataclass(frozen=True)
class Compared:
    """Trainings, their table with a row for each, and the number of those that were asked for.
    ``names`` are those of the data sets, by folder.
    """

    jobs: tuple[Job, ...]
    table: Table
    total: int
    names: Mapping[str, str] = field(default_factory=dict)

    def view(self) -> dict[str, Any]:
        """The table as JSON values."""
        table = self.table
        return {
            "settings": list(table.settings),
            "outputs": [{"name": name, "better": table.way(name)} for name in table.outputs],
            "rows": [
                {
                    "id": job.id,
                    "name": job.name,
                    "status": job.status,
                    "settings": {name: row.settings.get(name) for name in table.settings},
                    "best": {
                        name: {"value": best.value, "iteration": best.iteration}
                        for name, best in row.best.items()
                    },
                }
                for job, row in zip(self.jobs, table.rows, strict=True)
            ],
            "total": self.total,
        }

    def sorted_by(self, column: str) -> Compared:
        """The rows by a column, the best first.

        Raises:
            UsageError: when there is no such column.
        """
        columns = ["name", *self.table.settings, *self.table.outputs]
        if column not in columns:
            raise UsageError(f"sort: no column '{column[:80]}'; there are {', '.join(columns)}")
        jobs = {id(row): job for job, row in zip(self.jobs, self.table.rows, strict=True)}
        table = self.table.sorted_by(column)
        return replace(self, table=table, jobs=tuple(jobs[id(row)] for row in table.rows))


def chosen_trainings(site: Site, ids: str, group: str) -> tuple[list[Job], int]:
    """The trainings of comma-separated ids, or the newest of a group; and how many there are.

    Raises:
        UsageError: for an id that is no training's, or for neither ids nor a group.
    """
    if group:
        page = site.store.page(JobQuery(TRAINING, group=group), 0, MOST)
        return page.jobs[::-1], page.total
    found = [site.get(each, TRAINING) for each in dict.fromkeys(ids.split(",")) if each]
    if not found:
        raise UsageError("no trainings to compare: give the ids of jobs, or a group")
    return found[:MOST], len(found)


def compare(site: Site, jobs: Sequence[Job], total: int | None = None) -> Compared:
    """The table of some trainings. What has not changed is not read again."""
    rows = [_row(site, job) for job in jobs]
    needed = dict.fromkeys(each for job in jobs for each in job.needs)
    names = {str(site.workspace.job(each) / "data"): site.store.get(each).name for each in needed}
    return Compared(tuple(jobs), table_of(rows), len(jobs) if total is None else total, names)


def _row(site: Site, job: Job) -> Row:
    run = run_of(site.workspace, job)
    stamp = ((job.name, job.task, job.status), file_stamp(run.info), file_stamp(run.metrics))
    row = _ROWS.of(run.path, stamp, lambda: _read(job, run), pause_of(job))
    return replace(row)  # one of its own, so that rows are told apart


def _read(job: Job, run: RunDirectory) -> Row:
    try:
        settings = settings_of(run) if run.info.exists() else _planned(job)
        return Row(job.name, settings, best_values(_curves(run)))
    except ProtonetError:  # damaged files of one training: the others are compared
        return Row(job.name, {}, {})


def _curves(run: RunDirectory) -> dict[str, Curve]:
    """The curves that ``read_curves`` reads; of a training that runs, only new lines are read."""
    with METRICS.reading(run.metrics) as metrics:
        tests = metrics.tested.of("iteration")
        curves = {
            TRAINING_LOSS: (metrics.shown.of("iteration"), metrics.shown.of("loss")),
            VALIDATION_LOSS: (tests, metrics.tested.of("loss")),
            **{name: (tests, metrics.outputs.of(name)) for name in metrics.outputs.names()},
        }
    return without_copies(curves)


def _planned(job: Job) -> dict[str, Any]:
    """The settings of a training that has not begun."""
    task = read_task(job.task, job.name) if job.task else None
    if not isinstance(task, TrainNetwork):
        return {}
    values: dict[str, Any] = to_json(task.settings)
    return {name: value for name, value in values.items() if name != "out"}
