"""How far the creation of a data set is."""

from __future__ import annotations

import time
from dataclasses import dataclass

from protonet.jobs.tasks.progress_log import PROGRESS, read_progress
from protonet.web.store import RUN, Job
from protonet.web.workspace import Workspace


@dataclass(frozen=True)
class Making:
    """So many of all are done, of ``what``. ``seconds_left`` is None if unknown."""

    done: int
    total: int
    what: str
    seconds_left: float | None


def making_of(workspace: Workspace, job: Job) -> Making | None:
    """The progress of a data set that is being made; None before it has begun, and afterwards."""
    if job.status != RUN:
        return None
    count = read_progress(workspace.job(job.id) / PROGRESS)
    # What is left of a former try does not count.
    if count is None or count.at < (job.started or 0.0):
        return None
    return Making(count.done, count.total, count.what, count.seconds_left(time.time()))
