"""The learning-rate curve of a training."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from protonet.errors import UsageError
from protonet.jobs.definitions.solver import DEFAULT_POLICY, make_solver
from protonet.jobs.run.bounds import STEPPED
from protonet.jobs.run.settings import RunSettings
from protonet.proto.caffe_pb2 import SolverParameter
from protonet.solvers.schedules import make_schedule
from protonet.web.training_form import CurveForm

_POINTS = 400
_UNKNOWN = 1000
"""Iterations of the curve if their number is unknown."""


@dataclass(frozen=True)
class Curve:
    """Points (``x``, learning rate) from the first iteration to the last; the rate is None if it is
    not finite. ``x`` is ``iteration`` or ``epoch``.
    """

    x: str
    points: list[tuple[float, float | None]]


def policy_curve(form: CurveForm) -> Curve:
    """The learning rate of a training, by the schedule of training itself.

    Without the number of images, the number of iterations is unknown: then the curve is over
    epochs, without the warm-up, which is in iterations.

    Raises:
        SolverError: for invalid settings.
        UsageError: for more iterations than a solver can count.
    """
    known = form.images is not None
    settings = RunSettings(
        Path(),
        epochs=form.epochs if known else 1.0,
        lr=form.lr,
        lr_policy=form.lr_policy,
        gamma=form.gamma,
        power=form.power,
        steps=tuple(form.steps) if (form.lr_policy or DEFAULT_POLICY) in STEPPED else (),
        warmup=form.warmup if known else 0,
        warmup_lr=form.warmup_lr,
        min_lr=form.min_lr,
        learning_rate_decay=form.learning_rate_decay,
        accumulation=form.accumulation if known else 1,
    )
    try:
        length = (_UNKNOWN, 1) if form.images is None else (form.images, form.batch_size)
        solver = make_solver(settings, length, None)
    except ValueError:
        raise UsageError("more iterations than a solver can count (2,147,483,647)") from None
    schedule = make_schedule(solver)
    scale = 1.0 if known else form.epochs / solver.max_iter
    points = [(at * scale, _number(schedule.rate(at))) for at in sorted(set(_places(solver)))]
    return Curve("iteration" if known else "epoch", points)


def _places(solver: SolverParameter) -> Iterator[int]:
    """Iterations over the training, and both sides of every kink or step of the rate."""
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
