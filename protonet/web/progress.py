"""The progress of a training, from its files."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from protonet.jobs.run.directory import RunDirectory
from protonet.web.metrics import METRICS
from protonet.web.process import OUTPUT, pid_of
from protonet.web.recent import Recent, Stamp, file_stamp
from protonet.web.store import RUN, Job
from protonet.web.workspace import Workspace

Points = list[tuple[float, float | None]]
_TAIL = 64 * 1024
_KEPT = 20_000
"""Number of trainings whose progress is kept; a small object each."""
_KEPT_CURVES = 100
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
    found = _PROGRESS.of(run.path, _stamp(run, job), lambda: _progress(run, job))
    return replace(found, memory=_memory(workspace, job)) if job.status == RUN else found


def _stamp(run: RunDirectory, job: Job) -> Stamp:
    """What changes with the progress of a training: its state, its metrics, its snapshots."""
    return job.status, job.started, file_stamp(run.metrics), file_stamp(run.path)


def _progress(run: RunDirectory, job: Job) -> Progress:
    if not run.info.exists():
        return Progress()
    lines = METRICS.read(run.metrics)
    shown = [line for line in lines if line["event"] == "iterated"]
    tested = [line for line in lines if line["event"] == "tested" and line["net"] == 0]
    ends = _last_iteration(run)
    last = shown[-1] if shown else {}
    per_second = _speed(shown)
    done = max((line["iteration"] for line in lines), default=0)
    running = job.status == RUN
    left = (ends - done) / per_second if running and per_second and ends else None
    return Progress(
        iteration=done,
        iterations=ends,
        epoch=lines[-1]["epoch"] if lines else None,
        loss=last.get("loss"),
        validation_loss=tested[-1]["loss"] if tested else None,
        rate=last.get("lr"),
        per_second=per_second,
        seconds_left=left,
        snapshots=tuple(run.iterations()),
    )


def curves_of(workspace: Workspace, job: Job, most: int = _DRAWN) -> Curves:
    """The curves of a training, each thinned to about ``most`` points."""
    run = run_of(workspace, job)
    if most > _DRAWN:
        return _curves(run, most)
    return _CURVES.of((run.path, most), _stamp(run, job), lambda: _curves(run, most))


def _curves(run: RunDirectory, most: int) -> Curves:
    lines = METRICS.read(run.metrics)
    shown = [line for line in lines if line["event"] == "iterated"]
    tested = [line for line in lines if line["event"] == "tested" and line["net"] == 0]
    outputs: dict[str, Points] = {}
    for line in tested:
        for name, value in line["outputs"].items():
            values = value if isinstance(value, list) else [value]
            for place, each in enumerate(values):
                label = name if len(values) == 1 else f"{name}[{place}]"
                if each != line["loss"]:
                    outputs.setdefault(label, []).append((line["iteration"], each))
    return Curves(
        thin([(line["iteration"], line["loss"]) for line in shown], most),
        thin([(line["iteration"], line["loss"]) for line in tested], most),
        thin([(line["iteration"], line["lr"]) for line in shown], most),
        {name: thin(points, most) for name, points in outputs.items()},
    )


def thin(points: Sequence[tuple[float, float | None]], most: int) -> Points:
    """Downsample to about ``most`` points for drawing: the least and the greatest value of each
    interval, in their order, and the first and the last point.
    """
    if len(points) <= most:
        return list(points)
    stretches = max(1, (most - 2) // 2)
    inner = points[1:-1]
    size = len(inner) / stretches
    out: Points = [points[0]]
    for number in range(stretches):
        part = inner[int(number * size) : int((number + 1) * size)]
        known = [(x, y) for x, y in part if y is not None and math.isfinite(y)]
        if not known:
            out += part[:1]
            continue
        ends = {min(known, key=lambda p: p[1]), max(known, key=lambda p: p[1])}
        out += sorted(ends)
    out.append(points[-1])
    return out


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


def _speed(shown: Sequence[dict[str, Any]]) -> float | None:
    """Iterations per second over the last ten displays."""
    recent = [line for line in shown[-10:] if line["iterations"] > 0]
    seconds = sum(line["seconds"] for line in recent)
    return sum(line["iterations"] for line in recent) / seconds if seconds > 0 else None


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
