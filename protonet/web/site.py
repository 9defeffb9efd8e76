"""A workspace at work: its jobs, its queue, and what may be done with them."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from protonet.errors import ProtonetError, UsageError
from protonet.jobs.run.directory import RunDirectory
from protonet.jobs.run.settings import RunSettings
from protonet.jobs.tasks.task import Task, read_task, write_task
from protonet.jobs.tasks.trainings import ResumeRun
from protonet.web.checks import Checks
from protonet.web.datasets import Databases
from protonet.web.progress import progress_of, run_of
from protonet.web.queue import Queue
from protonet.web.store import DATASET, DONE, ENDED, ERROR, RUN, TRAINING, Job, Store
from protonet.web.workspace import Workspace


class Site:
    """What the API and the page are made of. Close it."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.store = Store(workspace.database)
        self.queue = Queue(workspace, self.store)
        self.checks = Checks()

    def start(self) -> None:
        """Take up the jobs of the workspace, those that another server began included."""
        self.queue.start()

    def close(self) -> None:
        """Leave the jobs alone; what runs goes on. Checks of networks end."""
        self.checks.close()
        self.queue.close()
        self.store.close()

    def folder(self, job: Job) -> Path:
        """The folder of a job."""
        return self.workspace.job(job.id)

    def get(self, job_id: str, kind: str | None = None) -> Job:
        """A job of a kind.

        Raises:
            UsageError: when there is none.
        """
        job = self.store.get(job_id)
        if kind is not None and job.kind != kind:
            raise UsageError(f"'{job.name}' is no {'training' if kind == TRAINING else 'data set'}")
        return job

    def databases(self, job: Job) -> Databases:
        """Where the parts of a data set are."""
        named = job.settings.get("databases")
        if named is None:
            return Databases.of_folder(self.folder(job) / "data")
        return Databases.of_names(named)

    def add(self, kind: str, name: str, **values: Any) -> Job:
        """A new job with a folder of its own, which nobody works at before ``begin``."""
        job = self.store.add(kind, name, status=ERROR, error="was not made whole", **values)
        self.folder(job).mkdir()
        return job

    def begin(self, job: Job, task: Task) -> Job:
        """Let a new job wait for its turn to be done."""
        return self.store.last(job.id, task=write_task(task), error="")

    def resume(self, job: Job) -> Job:
        """Let a job that ended wait for its turn again, from where it was.

        Raises:
            UsageError: for one that has not ended, or came to its good end.
        """
        if job.status not in ENDED:
            raise UsageError(f"'{job.name}' has not ended")
        if job.status == DONE:
            raise UsageError(f"'{job.name}' came to its end; there is nothing to go on with")
        if job.kind == DATASET:
            return self.store.last(job.id, error="", ended=None, aborted=None)
        run, task = run_of(self.workspace, job), job.task
        if run.info.exists():
            task = write_task(ResumeRun(run.path, _epochs_to_come(run, job)))
        else:
            shutil.rmtree(run.path, ignore_errors=True)
        return self.store.last(job.id, task=task, error="", ended=None, aborted=None)

    def prolong(self, job: Job, epochs: float) -> Job:
        """Let a training that has ended wait for its turn to go on to another length.

        Raises:
            UsageError: for one that has not ended or never began, or a length that it has passed.
        """
        if job.status not in ENDED:
            raise UsageError(f"'{job.name}' has not ended")
        run = run_of(self.workspace, job)
        if not run.info.exists():
            raise UsageError(f"'{job.name}' has not begun; there is nothing to prolong")
        trained = progress_of(self.workspace, job).epoch or 0.0
        if epochs <= trained:
            raise UsageError(
                f"'{job.name}' was trained for {trained:g} epochs; give more than these, "
                f"not {epochs:g}"
            )
        settings = {**job.settings, "form": {**job.settings.get("form", {}), "epochs": epochs}}
        task = write_task(ResumeRun(run.path, epochs))
        return self.store.last(
            job.id, task=task, settings=settings, error="", ended=None, aborted=None
        )

    def delete(self, job: Job) -> None:
        """Remove a job and its files.

        Raises:
            UsageError: while it runs, or others need it.
        """
        if job.status == RUN:
            raise UsageError(f"'{job.name}' is running; stop it first")
        self.store.remove(job.id)
        shutil.rmtree(self.folder(job), ignore_errors=True)

    def changes(self, since: dict[str, tuple[Any, ...]]) -> Iterator[Job]:
        """The jobs whose standing is another than ``since`` remembers, which is brought up."""
        for job in self.store.all():
            seen = (job.status, job.error, job.name, self._stamp(job))
            if since.get(job.id) != seen:
                since[job.id] = seen
                yield job

    def _stamp(self, job: Job) -> float:
        """When the files that tell of a job's progress changed last."""
        if job.status != RUN:
            return 0.0
        try:
            return run_of(self.workspace, job).metrics.stat().st_mtime
        except OSError:
            return 0.0

    def wait(self, job_id: str, seconds: float) -> Job:
        """The job when it has ended, or as it stands after so many seconds."""
        end = time.monotonic() + seconds
        job = self.store.get(job_id)
        while job.status not in ENDED and time.monotonic() < end:
            time.sleep(0.05)
            job = self.store.get(job_id)
        return job


def _epochs_to_come(run: RunDirectory, job: Job) -> float | None:
    """Another length that a training was given and that its process did not come to write down."""
    try:
        task = read_task(job.task, job.name)
        settings = run.record().settings
    except ProtonetError:
        return None
    if not isinstance(task, ResumeRun) or not isinstance(settings, RunSettings):
        return None
    return None if task.epochs == settings.epochs else task.epochs
