"""The progress of a training, from its files."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, replace
from pathlib import Path

from protonet.jobs.run.directory import RunDirectory
from protonet.web.metrics import METRICS, Columns
from protonet.web.process import OUTPUT, pid_of
from protonet.web.recent import Recent, Stamp, file_stamp
from protonet.web.store import ABORT, DONE, RUN, Job
from protonet.web.workspace import Workspace

_TAIL = 64 * 1024
_KEPT = 20_000
"""Number of trainings whose progress is kept; a small object each."""
_PAUSE = 0.4
_ENDED_PAUSE = 5.0
"""Seconds for which the files of an ended training are not looked at."""


@dataclass(frozen=True)
class Progress:
    """The progress of a training. ``seconds_left`` is None if unknown."""

    iteration: int = 0
    iterations: int = 0
    epoch: float | None = None
    loss: float | None = None
    validation_loss: float | None = None
    rate: float | None = None
    per_second: float | None = None
    images_per_second: float | None = None
    seconds_left: float | None = None
    memory: int | None = None
    snapshots: tuple[int, ...] = ()


_PROGRESS: Recent[Progress] = Recent(_KEPT)
_ENDED: Recent[Progress] = Recent(_KEPT)


def run_of(workspace: Workspace, job: Job) -> RunDirectory:
    """The run directory of a training, which may not exist yet."""
    return RunDirectory(workspace.job(job.id) / "run")


def progress_of(workspace: Workspace, job: Job) -> Progress:
    """The progress of a training; its files are read again when they have changed."""
    if job.status in (DONE, ABORT) and _PAUSE:
        # Nothing is written any more: lists of many jobs do not look at the files of each.
        stamp = (job.status, job.started, job.ended, int(time.monotonic() / _ENDED_PAUSE))
        key = (workspace.folder, job.id)
        return _ENDED.of(key, stamp, lambda: _looked_up(run_of(workspace, job), job))
    found = _looked_up(run_of(workspace, job), job)
    return replace(found, memory=_memory(workspace, job)) if job.status == RUN else found


def _looked_up(run: RunDirectory, job: Job) -> Progress:
    """The progress; its files are read again when they have changed."""
    stamp = progress_stamp(run, job)
    return _PROGRESS.of(run.path, stamp, lambda: _progress(run, job), pause_of(job))


def progress_stamp(run: RunDirectory, job: Job) -> Stamp:
    """What changes with the progress of a training: its metrics and its snapshots."""
    return job.status, job.started, file_stamp(run.metrics), file_stamp(run.path)


def pause_of(job: Job) -> float:
    """Seconds for which a result is good, whatever is written meanwhile."""
    return _PAUSE if job.status == RUN else 0.0


def _progress(run: RunDirectory, job: Job) -> Progress:
    if not run.info.exists():
        return Progress()
    ends = _last_iteration(run)
    with METRICS.reading(run.metrics) as metrics:
        per_second = _speed(metrics.shown)
        left = None
        if job.status == RUN and per_second and ends:
            left = (ends - metrics.iteration) / per_second
        images = images_per_iteration(run)
        return Progress(
            iteration=metrics.iteration,
            iterations=ends,
            epoch=metrics.epoch,
            loss=_last(metrics.shown, "loss"),
            validation_loss=_last(metrics.tested, "loss"),
            rate=_last(metrics.shown, "lr"),
            per_second=per_second,
            images_per_second=per_second * images if per_second and images else None,
            seconds_left=left,
            snapshots=tuple(run.iterations()),
        )


def _last(columns: Columns, name: str) -> float | None:
    return next(iter(columns.last(name)), None)


def tail(path: Path, lines: int = 200) -> str:
    """The last lines of a text file; empty if it does not exist."""
    try:
        with path.open("rb") as stream:
            stream.seek(0, 2)
            stream.seek(max(0, stream.tell() - _TAIL))
            return "\n".join(stream.read().decode(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""


def log_of(workspace: Workspace, job: Job, lines: int = 200) -> str:
    """The last lines of a job's log."""
    return tail(workspace.job(job.id) / OUTPUT, lines)


def elapsed(job: Job) -> float:
    """The running time of a job in seconds."""
    if job.started is None:
        return 0.0
    return (job.ended if job.ended is not None else time.time()) - job.started


def _speed(shown: Columns) -> float | None:
    """Iterations per second over the last ten displays."""
    recent = zip(shown.last("iterations", 10), shown.last("seconds", 10), strict=True)
    spans = [(count, seconds) for count, seconds in recent if count > 0]
    seconds = sum(seconds for _, seconds in spans)
    return sum(count for count, _ in spans) / seconds if seconds > 0 else None


def _last_iteration(run: RunDirectory) -> int:
    """The max_iter of the run's solver."""
    return _whole(run.solver, "max_iter") or 0


def images_per_iteration(run: RunDirectory) -> int | None:
    """The images of all batches of an iteration: of the first data layer; None if unknown."""
    size = _whole(run.train_val, "batch_size")
    return None if size is None else size * (_whole(run.solver, "iter_size") or 1)


def _whole(path: Path, name: str) -> int | None:
    """The first whole number of a field in a prototxt; None if it is absent."""
    try:
        found = re.search(rf"^\s*{name}: (\d+)\s*$", path.read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) if found else None


def _memory(workspace: Workspace, job: Job) -> int | None:
    """Memory of the job's process in bytes; None if unknown."""
    pid = pid_of(workspace.job(job.id))
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    sizes = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(sizes[0]) * 1024 if sizes else None
