"""The learning rate over a training, to be drawn."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from protonet.errors import UsageError
from protonet.jobs.definitions.solver import make_solver
from protonet.jobs.run.settings import RunSettings
from protonet.proto.caffe_pb2 import SolverParameter
from protonet.solvers.schedules import make_schedule
from protonet.web.forms import CurveForm

_POINTS = 400
_UNKNOWN = 1000
"""Iterations that are looked at where nobody knows yet how many there will be."""


@dataclass(frozen=True)
class Curve:
    """Points (``x``, learning rate) from the first iteration to the last; the rate is None where
    it leaves the range of numbers. ``x`` is ``iteration`` or ``epoch``.
    """

    x: str
    points: list[tuple[float, float | None]]


def policy_curve(form: CurveForm) -> Curve:
    """The learning rate of a training, by the schedule that trains.

    Without the count of images nobody knows how many iterations the training has: then the
    curve is over its epochs, and leaves out the warm-up, which is in iterations.

    Raises:
        SolverError: for settings that cannot be.
        UsageError: for more iterations than a solver counts.
    """
    known = form.images is not None
    settings = RunSettings(
        Path(),
        epochs=form.epochs if known else 1.0,
        lr=form.lr,
        lr_policy=form.lr_policy,
        gamma=form.gamma,
        power=form.power,
        steps=tuple(form.steps) if form.lr_policy in ("step", "multistep", "sigmoid") else (),
        warmup=form.warmup if known else 0,
        min_lr=form.min_lr,
    )
    try:
        length = (_UNKNOWN, 1) if form.images is None else (form.images, form.batch_size)
        solver = make_solver(settings, length, None)
    except ValueError:
        raise UsageError("that are more iterations than a solver counts (2,147,483,647)") from None
    schedule = make_schedule(solver)
    scale = 1.0 if known else form.epochs / solver.max_iter
    points = [(at * scale, _number(schedule.rate(at))) for at in sorted(set(_places(solver)))]
    return Curve("iteration" if known else "epoch", points)


def _places(solver: SolverParameter) -> Iterator[int]:
    """Iterations over the whole training, and both sides of wherever the rate bends or jumps."""
    last = solver.max_iter - 1
    yield from range(0, last + 1, math.ceil(solver.max_iter / _POINTS))
    yield last
    bends = [*solver.stepvalue, solver.rampup_interval]
    if solver.stepsize:
        bends += range(solver.stepsize, last + 1, max(solver.stepsize, last // _POINTS or 1))
    for bend in bends:
        yield from (at for at in (bend - 1, bend) if 0 <= at <= last)


def _number(rate: float) -> float | None:
    return rate if math.isfinite(rate) else None
