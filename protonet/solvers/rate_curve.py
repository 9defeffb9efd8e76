"""The learning rate over a training, by the schedule of training itself."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from protonet.errors import UsageError
from protonet.formats.pictures import new_figure, picture_kind, write_picture
from protonet.proto.caffe_pb2 import SolverParameter
from protonet.solvers.schedules import make_schedule

FORMATS = ("png", "svg", "pdf")
_POINTS = 400


@dataclass(frozen=True)
class Curve:
    """Points (``x``, learning rate) from the first iteration to the last; the rate is None if it is
    not finite. ``x`` is ``iteration`` or ``epoch``.
    """

    x: str
    points: list[tuple[float, float | None]]


def solver_curve(solver: SolverParameter) -> Curve:
    """The learning rate of a solver over its iterations.

    Raises:
        SolverError: for invalid values.
        UsageError: for a solver without iterations.
    """
    if solver.max_iter < 1:
        raise UsageError("the solver has no max_iter: how long it trains is not known")
    schedule = make_schedule(solver)
    return Curve(
        "iteration", [(at, _number(schedule.rate(at))) for at in sorted(set(_places(solver)))]
    )


def draw_rates(curves: Mapping[str, Curve], path: Path) -> None:
    """Draw curves by their names.

    Raises:
        UsageError: for another file type than .png, .svg, .pdf.
    """
    kind = picture_kind(path, FORMATS)
    figure = new_figure(8, 4.8)
    axes = figure.add_subplot()
    for name, curve in curves.items():
        points = [(at, math.nan if rate is None else rate) for at, rate in curve.points]
        axes.plot(*zip(*points, strict=True), label=name, linewidth=1.4)
        axes.set_xlabel(curve.x)
    axes.set_ylim(bottom=0)
    axes.set_title("learning rate", loc="left", fontweight="bold")
    axes.grid(color="#000000", alpha=0.1, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    if len(curves) > 1:
        axes.legend(edgecolor="none")
    write_picture(figure, path, kind)


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
