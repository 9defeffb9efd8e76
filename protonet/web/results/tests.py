"""Tests of a training on many images: predictions made by a process, kept in the job's folder."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
from collections import OrderedDict
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from typing import Literal

from protonet.data.database import is_database
from protonet.errors import ProtonetError, UsageError
from protonet.jobs.inference.trained_run import choose_snapshot
from protonet.jobs.predictions.summary import Found, read_predictions
from protonet.jobs.tasks.predictions import PredictImages
from protonet.jobs.tasks.progress_log import PROGRESS, Count, read_progress
from protonet.jobs.tasks.task import read_task, write_task
from protonet.jobs.tasks.worker import TASK
from protonet.web.forms import TestForm
from protonet.web.process import Detached, is_alive, last_complaint, launch, read_exit, send_signal
from protonet.web.progress import run_of
from protonet.web.store import Job
from protonet.web.workspace import GIB, Workspace

_FOLDER = "tests"
_MOST = 2
"""Tests that run at once on the server."""
_STORED = 20
"""Tests of a training whose files are kept."""
_KEPT = 4
"""Opened tests in memory."""
_SPARE_ADDRESSES = 8 * GIB

Status = Literal["run", "done", "error"]


@dataclass(frozen=True)
class Asked:
    """What a test was begun with; paths as one types them, and the iteration of the snapshot."""

    path: str
    labels: str | None
    snapshot: str
    most: int | None


@dataclass(frozen=True)
class TestState:
    """How a test is; ``key`` names it among those of a training."""

    __test__ = False  # not a test of pytest

    key: str
    status: Status
    asked: Asked | None = None
    progress: Count | None = None
    error: str = ""


class Tests:
    """The tests of one server. Their processes go on when it ends."""

    __test__ = False

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._children: dict[Path, Detached] = {}
        self._opened: OrderedDict[Path, Found] = OrderedDict()
        self._lock = Lock()

    def start(self, job: Job, form: TestForm) -> TestState:
        """Begin a test, or find the same one of before.

        Raises:
            UsageError: for files that are absent or not allowed, or when too many tests run.
        """
        task = _task(self._workspace, job, form)
        stamps = [_stamp(path) for path in (task.images, task.labels) if path is not None]
        told = json.dumps([write_task(task), stamps])
        folder = self._folder(job, hashlib.sha256(told.encode()).hexdigest()[:16])
        with self._lock:
            if folder.exists() and (is_alive(folder) or read_exit(folder) == 0):
                return self._state(folder)
            if self._running() >= _MOST:
                raise UsageError(f"{_MOST} tests run already; wait until one has ended")
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            for old in self._folders(job)[_STORED:]:
                self._discard(old)
            memory = self._workspace.limits.memory + _SPARE_ADDRESSES
            self._children[folder] = launch(folder, write_task(task), memory)
        return TestState(folder.name, "run", self._asked(folder))

    def state(self, job: Job, key: str) -> TestState:
        """How a test is.

        Raises:
            UsageError: when there is none.
        """
        folder = self._folder(job, key)
        if not folder.is_dir():
            raise UsageError(f"'{job.name}' has no test '{key[:40]}'")
        with self._lock:
            return self._state(folder)

    def all(self, job: Job) -> list[TestState]:
        """The tests of a training, the newest first."""
        with self._lock:
            return [self._state(folder) for folder in self._folders(job)]

    def remove(self, job: Job, key: str) -> None:
        """Stop a test if it runs, and remove its files.

        Raises:
            UsageError: when there is none.
        """
        self.state(job, key)
        with self._lock:
            self._discard(self._folder(job, key))

    def open(self, job: Job, key: str) -> Found:
        """The predictions of a test that is done.

        Raises:
            UsageError: for one that is not.
        """
        state = self.state(job, key)
        if state.status != "done":
            why = "has not ended" if state.status == "run" else f"has failed: {state.error}"
            raise UsageError(f"the test {why}")
        folder = self._folder(job, key)
        with self._lock:
            found = self._opened.pop(folder, None)
            if found is None:
                found = read_predictions(folder)
            self._opened[folder] = found
            while len(self._opened) > _KEPT:
                self._opened.popitem(last=False)
        return found

    def _folders(self, job: Job) -> list[Path]:
        """Of the tests of a training, the newest first."""
        found = (self._workspace.job(job.id) / _FOLDER).glob("*")
        return sorted(found, key=lambda folder: folder.stat().st_mtime, reverse=True)

    def _discard(self, folder: Path) -> None:
        send_signal(folder, signal.SIGKILL)
        child = self._children.pop(folder, None)
        if child is not None:
            child.kill()  # one that has not told its pid yet gets no signal
            child.wait()
        self._opened.pop(folder, None)
        shutil.rmtree(folder, ignore_errors=True)

    def _state(self, folder: Path) -> TestState:
        child = self._children.get(folder)
        if child is not None and child.poll() is not None:
            del self._children[folder]
        asked = self._asked(folder)
        if is_alive(folder):
            return TestState(folder.name, "run", asked, read_progress(folder / PROGRESS))
        code = read_exit(folder)
        if code == 0:
            return TestState(folder.name, "done", asked)
        why = last_complaint(folder) or "the process was killed; it may have taken too much memory"
        return TestState(folder.name, "error", asked, error=why)

    def _asked(self, folder: Path) -> Asked | None:
        """What a test was begun with; None where another version wrote it."""
        try:
            task = read_task((folder / TASK).read_text(encoding="utf-8"), str(folder))
        except (OSError, ProtonetError):
            return None
        if not isinstance(task, PredictImages):
            return None
        path, labels = (self._workspace.shown(each) for each in (task.images, task.labels))
        return Asked(path, labels or None, task.snapshot, task.most)

    def _folder(self, job: Job, key: str) -> Path:
        if not key.isalnum():
            raise UsageError(f"no test '{key[:40]}'")
        return self._workspace.job(job.id) / _FOLDER / key

    def _running(self) -> int:
        return sum(child.poll() is None for child in self._children.values())


def _task(workspace: Workspace, job: Job, form: TestForm) -> PredictImages:
    """The task of a form; its paths are checked."""
    run = run_of(workspace, job)
    if not run.info.exists():
        raise UsageError(f"'{job.name}' has not begun yet")
    images = workspace.inside(form.path)
    if not images.exists():
        raise UsageError(f"{form.path}: no such file or folder")
    labels = workspace.inside(form.labels) if form.labels else None
    if labels is not None and not is_database(labels):
        raise UsageError(f"{form.labels}: no such database")
    return PredictImages(
        run=run.path,
        images=images,
        labels=labels,
        snapshot=str(choose_snapshot(run, form.snapshot)),
        most=form.most,
        folders=(workspace.folder, *workspace.allowed),
    )


def _stamp(path: Path) -> list[float]:
    """When a file, or the files of a database, were changed."""
    files = [path, *(path.glob("data.mdb") if path.is_dir() else ())]
    try:
        return [each.stat().st_mtime for each in files]
    except OSError as error:
        raise ProtonetError(f"{path}: {error.strerror}") from error


def state_view(state: TestState) -> dict[str, object]:
    """A state as JSON."""
    left = state.progress.seconds_left() if state.progress is not None else None
    return {**asdict(state), "seconds_left": left}
