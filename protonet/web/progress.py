"""The progress of a training, from its files."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from protonet.jobs.run.directory import RunDirectory
from protonet.web.metrics import METRICS, Columns
from protonet.web.process import OUTPUT, pid_of
from protonet.web.recent import Recent, Stamp, file_stamp
from protonet.web.store import RUN, Job
from protonet.web.workspace import Workspace

Points = list[tuple[float, float | None]]
Numbers = npt.NDArray[np.float64]
_TAIL = 64 * 1024
_KEPT = 20_000
"""Number of trainings whose progress is kept; a small object each."""
_KEPT_CURVES = 100
_PAUSE = 0.4
_DRAWN = 800
"""Points of a curve on the page."""


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
    seconds_left: float | None = None
    memory: int | None = None
    snapshots: tuple[int, ...] = ()


@dataclass(frozen=True)
class Curves:
    """The curves of a training: each a list of (iteration, value).

    ``outputs`` are outputs of the test nets other than the loss, such as an accuracy.
    """

    loss: Points
    validation_loss: Points
    rate: Points
    outputs: dict[str, Points]


_PROGRESS: Recent[Progress] = Recent(_KEPT)
_CURVES: Recent[Curves] = Recent(_KEPT_CURVES)


def run_of(workspace: Workspace, job: Job) -> RunDirectory:
    """The run directory of a training, which may not exist yet."""
    return RunDirectory(workspace.job(job.id) / "run")


def progress_of(workspace: Workspace, job: Job) -> Progress:
    """The progress of a training; its files are read again when they have changed."""
    run = run_of(workspace, job)
    found = _PROGRESS.of(run.path, _stamp(run, job), lambda: _progress(run, job), _pause(job))
    return replace(found, memory=_memory(workspace, job)) if job.status == RUN else found


def curves_of(workspace: Workspace, job: Job, most: int = _DRAWN) -> Curves:
    """The curves of a training, each thinned to about ``most`` points."""
    run = run_of(workspace, job)
    if most > _DRAWN:
        return _curves(run, most)
    key, stamp = (run.path, most), _stamp(run, job)
    return _CURVES.of(key, stamp, lambda: _curves(run, most), _pause(job))


def _stamp(run: RunDirectory, job: Job) -> Stamp:
    """What changes with the progress of a training: its metrics and its snapshots."""
    return job.status, job.started, file_stamp(run.metrics), file_stamp(run.path)


def _pause(job: Job) -> float:
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
        return Progress(
            iteration=metrics.iteration,
            iterations=ends,
            epoch=metrics.epoch,
            loss=_last(metrics.shown, "loss"),
            validation_loss=_last(metrics.tested, "loss"),
            rate=_last(metrics.shown, "lr"),
            per_second=per_second,
            seconds_left=left,
            snapshots=tuple(run.iterations()),
        )


def _last(columns: Columns, name: str) -> float | None:
    return next(iter(columns.last(name)), None)


def _curves(run: RunDirectory, most: int) -> Curves:
    with METRICS.reading(run.metrics) as metrics:
        shown, tested, outputs = metrics.shown, metrics.tested, metrics.outputs
        x, tests, losses = shown.of("iteration"), tested.of("iteration"), tested.of("loss")
        named = {name: outputs.of(name) for name in outputs.names()}
        loss, rate = shown.of("loss"), shown.of("lr")
    return Curves(
        _thinned(x, loss, most),
        _thinned(tests, losses, most),
        _thinned(x, rate, most),
        {
            name: _thinned(tests[~np.isnan(values)], values[~np.isnan(values)], most)
            for name, values in named.items()
            if not np.array_equal(values, losses, equal_nan=True)  # it is the loss
        },
    )


def thin(points: Sequence[tuple[float, float | None]], most: int) -> Points:
    """Downsample to about ``most`` points for drawing: the least and the greatest value of each
    interval, in their order, and the first and the last point.
    """
    if len(points) <= most:
        return list(points)
    values = np.array([np.nan if y is None else y for _, y in points], np.float64)
    return [points[place] for place in _chosen(values, most)]


def _thinned(x: Numbers, y: Numbers, most: int) -> Points:
    """The points of a curve as ``thin`` gives them; None for what is no number."""
    places = _chosen(y, most) if len(y) > most else range(len(y))
    return [
        (int(x[place]) if x[place].is_integer() else float(x[place]),
         None if np.isnan(y[place]) else float(y[place]))
        for place in places
    ]  # fmt: skip


def _chosen(values: Numbers, most: int) -> list[int]:
    """Places of the first, the last, and the extreme values of each interval between."""
    edges = np.linspace(1, len(values) - 1, max(1, (most - 2) // 2) + 1).astype(int)
    chosen = {0, len(values) - 1}
    for start, end in pairwise(edges.tolist()):
        part = values[start:end]
        finite = np.flatnonzero(np.isfinite(part))
        if len(finite) == 0:
            chosen.update(range(start, end)[:1])
            continue
        chosen.add(start + int(finite[part[finite].argmin()]))
        chosen.add(start + int(finite[part[finite].argmax()]))
    return sorted(chosen)


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
    try:
        text = run.solver.read_text()
    except OSError:
        return 0
    found = [line.split() for line in text.splitlines() if line.startswith("max_iter:")]
    return int(found[0][1]) if found and len(found[0]) > 1 else 0


def _memory(workspace: Workspace, job: Job) -> int | None:
    """Memory of the job's process in bytes; None if unknown."""
    pid = pid_of(workspace.job(job.id))
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    sizes = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(sizes[0]) * 1024 if sizes else None
