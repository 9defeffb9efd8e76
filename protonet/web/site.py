"""The services of a workspace: jobs, queue, and operations on them."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from protonet.errors import ProtonetError, UsageError
from protonet.jobs.run.directory import RunDirectory
from protonet.jobs.run.settings import RunSettings
from protonet.jobs.tasks.task import Task, read_task, write_task
from protonet.jobs.tasks.trainings import ResumeRun, TrainNetwork
from protonet.web.checks import Checks
from protonet.web.datasets import Databases, Reports
from protonet.web.datasets.indexing import Indexes
from protonet.web.progress import progress_of, run_of
from protonet.web.queue import Queue
from protonet.web.results.tests import Tests
from protonet.web.store import DATASET, DONE, ENDED, ERROR, RUN, TRAINING, Job, Store
from protonet.web.workspace import Workspace


class Site:
    """The services of the API and the page. Close it."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.store = Store(workspace.database)
        self.queue = Queue(workspace, self.store)
        self.checks = Checks()
        self.reports = Reports()
        self.indexes = Indexes()
        self.tests = Tests(workspace)

    def start(self) -> None:
        """Start the queue, including jobs that another server started."""
        self.queue.start()

    def close(self) -> None:
        """Stop the queue and the checks of networks; running jobs continue."""
        self.checks.close()
        self.indexes.close()
        self.queue.close()
        self.store.close()

    def folder(self, job: Job) -> Path:
        """The folder of a job."""
        return self.workspace.job(job.id)

    def get(self, job_id: str, kind: str | None = None) -> Job:
        """The job with this id, of this kind.

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

    def index_folder(self, job_id: str) -> Path:
        """The folder of the indexes of a data set."""
        return self.workspace.job(job_id) / "index"

    def add(self, kind: str, name: str, **values: Any) -> Job:
        """A new job with its folder, not queued before ``begin``."""
        job = self.store.add(kind, name, status=ERROR, error="was not created completely", **values)
        self.folder(job).mkdir()
        return job

    def begin(self, job: Job, task: Task) -> Job:
        """Queue a new job."""
        return self.store.last(job.id, task=write_task(task), error="")

    def resume(self, job: Job, device: str | None = None) -> Job:
        """Queue an ended job again, to resume; a training on another device, if one is given.

        Raises:
            UsageError: for one that has not ended, or has succeeded.
        """
        if job.status not in ENDED:
            raise UsageError(f"'{job.name}' has not ended")
        if job.status == DONE:
            raise UsageError(f"'{job.name}' is finished; there is nothing to resume")
        if job.kind == DATASET:
            return self.store.last(job.id, error="", ended=None, aborted=None)
        run, task, settings = run_of(self.workspace, job), job.task, _on(job, device)
        if run.info.exists():
            epochs = _epochs_to_come(run, job)
            task = write_task(ResumeRun(run.path, epochs, settings.get("device")))
        else:
            shutil.rmtree(run.path, ignore_errors=True)
            task = task if device is None else _begun_on(job, device)
        return self.store.last(
            job.id, task=task, settings=settings, error="", ended=None, aborted=None
        )

    def prolong(self, job: Job, epochs: float, device: str | None = None) -> Job:
        """Queue an ended training again, with another length, and on another device if one is
        given.

        Raises:
            UsageError: for one that has not ended or not started, or a shorter length than trained.
        """
        if job.status not in ENDED:
            raise UsageError(f"'{job.name}' has not ended")
        run = run_of(self.workspace, job)
        if not run.info.exists():
            raise UsageError(f"'{job.name}' has not started; there is nothing to extend")
        trained = progress_of(self.workspace, job).epoch or 0.0
        if epochs <= trained:
            raise UsageError(
                f"'{job.name}' was trained for {trained:g} epochs; give more epochs, not {epochs:g}"
            )
        settings = _on(job, device)
        settings["form"] = {**settings.get("form", {}), "epochs": epochs}
        task = write_task(ResumeRun(run.path, epochs, settings.get("device")))
        return self.store.last(
            job.id, task=task, settings=settings, error="", ended=None, aborted=None
        )

    def delete(self, job: Job) -> None:
        """Remove a job and its files.

        Raises:
            UsageError: while it runs, or others need it.
        """
        self.remove(job)
        shutil.rmtree(self.folder(job), ignore_errors=True)

    def remove(self, job: Job) -> None:
        """Remove a job, but not its files.

        Raises:
            UsageError: while it runs, or others need it.
        """
        with self.store.together():  # so that it does not start meanwhile
            if self.store.get(job.id).status == RUN:
                raise UsageError(f"'{job.name}' is running; stop it first")
            self.store.remove(job.id)
        self.indexes.forget(self.folder(job))

    def wait(self, job_id: str, seconds: float) -> Job:
        """Wait until the job has ended, at most for ``seconds``; return it."""
        end = time.monotonic() + seconds
        job = self.store.get(job_id)
        while job.status not in ENDED and time.monotonic() < end:
            time.sleep(0.05)
            job = self.store.get(job_id)
        return job


def _on(job: Job, device: str | None) -> dict[str, Any]:
    """The settings of a job on another device, if one is given."""
    if device is None:
        return dict(job.settings)
    form = {**job.settings.get("form", {}), "device": device}
    return {**job.settings, "device": device, "form": form}


def _begun_on(job: Job, device: str) -> str:
    """The task of a training that has not begun, on a device."""
    task = read_task(job.task, job.name)
    if isinstance(task, TrainNetwork):
        task = replace(task, settings=replace(task.settings, device=device))
    return write_task(task)


def _epochs_to_come(run: RunDirectory, job: Job) -> float | None:
    """The requested length of a training that its process has not stored yet."""
    try:
        task = read_task(job.task, job.name)
        settings = run.record().settings
    except ProtonetError:
        return None
    if not isinstance(task, ResumeRun) or not isinstance(settings, RunSettings):
        return None
    return None if task.epochs == settings.epochs else task.epochs
