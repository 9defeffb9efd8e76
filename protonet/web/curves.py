"""The curves of a training, from its metrics: by iteration, epoch or time, and smoothed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt

from protonet.jobs.run.directory import RunDirectory
from protonet.web.metrics import METRICS, Columns
from protonet.web.progress import images_per_iteration, pause_of, progress_stamp, run_of
from protonet.web.recent import Recent
from protonet.web.store import Job
from protonet.web.workspace import Workspace

Points = list[tuple[float, float | None]]
Numbers = npt.NDArray[np.float64]
Axis = Literal["iteration", "epoch", "seconds"]
_KEPT = 100
DRAWN = 800
"""Points of a curve on the page."""


@dataclass(frozen=True)
class CurveOptions:
    """How curves are drawn: about ``most`` points of each, over ``x``. ``smoothing`` is the weight
    of the past in an exponential mean, 0 for none.
    """

    most: int = DRAWN
    x: Axis = "iteration"
    smoothing: float = 0.0


@dataclass(frozen=True)
class Curves:
    """The curves of a training: each a list of (x, value).

    ``outputs`` are outputs of the test nets other than the loss, such as an accuracy. ``smoothed``
    are the losses (``loss``, ``validation_loss``) and outputs by name, with smoothing. ``speed`` is
    in images per second, ``memory`` that of the process in bytes; both may be unknown. Seconds are
    those of training, without pauses.
    """

    loss: Points
    validation_loss: Points
    rate: Points
    outputs: dict[str, Points]
    smoothed: dict[str, Points]
    speed: Points
    memory: Points
    x: Axis = "iteration"


_CURVES: Recent[Curves] = Recent(_KEPT)
_USUAL = CurveOptions()


def curves_of(workspace: Workspace, job: Job, options: CurveOptions = _USUAL) -> Curves:
    """The curves of a training; what has not changed is not read again."""
    run = run_of(workspace, job)
    if options.most > DRAWN:
        return _curves(run, options)
    key, stamp = (run.path, options), progress_stamp(run, job)
    return _CURVES.of(key, stamp, lambda: _curves(run, options), pause_of(job))


def _curves(run: RunDirectory, options: CurveOptions) -> Curves:
    with METRICS.reading(run.metrics) as metrics:
        x, tests = _places(metrics.shown, metrics.tested, options.x)
        loss, rate = metrics.shown.of("loss"), metrics.shown.of("lr")
        memory, speed = metrics.shown.of("memory"), _speed(metrics.shown)
        losses = metrics.tested.of("loss")
        named = {name: metrics.outputs.of(name) for name in metrics.outputs.names()}
    outputs = {
        name: (tests[~np.isnan(values)], values[~np.isnan(values)])
        for name, values in named.items()
        if not np.array_equal(values, losses, equal_nan=True)  # it is the loss
    }
    images = images_per_iteration(run)
    drawn = {"loss": (x, loss), "validation_loss": (tests, losses), **outputs}
    most = options.most
    return Curves(
        loss=_thinned(x, loss, most),
        validation_loss=_thinned(tests, losses, most),
        rate=_thinned(x, rate, most),
        outputs={name: _thinned(*curve, most) for name, curve in outputs.items()},
        smoothed={
            name: _thinned(at, smooth(values, options.smoothing), most)
            for name, (at, values) in drawn.items()
            if options.smoothing > 0
        },
        speed=[] if images is None else _known(x, speed * images, most),
        memory=_known(x, memory, most),
        x=options.x,
    )


def _places(shown: Columns, tested: Columns, x: Axis) -> tuple[Numbers, Numbers]:
    """The places on the axis of the displays and of the tests."""
    if x != "seconds":
        return shown.of(x), tested.of(x)
    iterations = np.maximum.accumulate(shown.of("iteration"))
    seconds = np.cumsum(np.nan_to_num(shown.of("seconds")))
    tests = tested.of("iteration")
    if not len(seconds):
        return seconds, np.zeros_like(tests)
    return seconds, np.interp(tests, iterations, seconds)


def _speed(shown: Columns) -> Numbers:
    """Iterations per second of each display; NaN if unknown."""
    seconds, iterations = shown.of("seconds"), shown.of("iterations")
    known = (seconds > 0) & (iterations > 0)
    speed = np.full(len(seconds), np.nan)
    speed[known] = iterations[known] / seconds[known]
    return speed


def smooth(values: Numbers, weight: float) -> Numbers:
    """The exponential mean of a curve, corrected for its beginning: the first value is itself.

    With w the weight of the past, s_i = (sum over j <= i of w^(i-j) y_j) / (sum of w^(i-j)); NaN
    values count for nothing.
    """
    made = np.empty_like(values)
    total = count = 0.0
    for place, value in enumerate(values.tolist()):
        if value == value:  # no NaN
            total, count = weight * total + value, weight * count + 1.0
        made[place] = total / count if count else np.nan
    return made


def _known(x: Numbers, y: Numbers, most: int) -> Points:
    """The points of a curve where it is a number."""
    known = ~np.isnan(y)
    return _thinned(x[known], y[known], most)


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
