"""Learning curves of several trainings in one plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from protonet.errors import UsageError
from protonet.formats.pictures import new_figure, picture_kind, write_picture
from protonet.train.listeners.loss_chart import NOISY, reads_better_as_log, smooth
from protonet.train.logs import Entry, TrainingLog

FORMATS = ("png", "svg", "pdf")

Points = list[tuple[float, float]]


def draw_comparison(
    logs: Mapping[str, TrainingLog], path: Path, *, output: str = "loss", by_time: bool = False
) -> None:
    """Draw ``output`` of every log over iterations, or over seconds, into ``path``.

    ``output`` is "loss", "lr" for the learning rate, or an output of the net. The curve of the
    training is solid, that of the first test net dashed with points. The loss of a training is
    smoothed.

    Raises:
        UsageError: for another file type, or an output that no log has.
    """
    kind = picture_kind(path, FORMATS)
    curves = {
        name: (
            _points(log.train, output, by_time),
            [] if output == "lr" else _points(_first_test(log), output, by_time),
        )
        for name, log in logs.items()
    }
    if not any(points for pair in curves.values() for points in pair):
        known = {key for log in logs.values() for entry in _all(log) for key in entry.outputs}
        listed = ", ".join(["loss", "lr", *sorted(known - {"loss", "lr"})])
        raise UsageError(f"no log has an output '{output}'; there are {listed}")
    _draw_curves(curves, path, kind, title=output, across="seconds" if by_time else "iteration")


def _draw_curves(
    curves: Mapping[str, tuple[Points, Points]], path: Path, kind: str, *, title: str, across: str
) -> None:
    """Draw the training and test curves of each name into a file."""
    figure = new_figure(8, 4.8)
    axes = figure.add_subplot()
    for place, (name, (train, test)) in enumerate(curves.items()):
        _draw(axes, name, train, test, f"C{place}")
    values = [y for pair in curves.values() for points in pair for _, y in points]
    if reads_better_as_log(values):
        axes.set_yscale("log")
    axes.set_title(title, loc="left", fontweight="bold")
    axes.set_xlabel(across)
    axes.grid(color="#000000", alpha=0.1, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(edgecolor="none")
    write_picture(figure, path, kind)


def _draw(axes: Any, name: str, train: Sequence[Any], test: Sequence[Any], color: str) -> None:
    if train:
        x, y = zip(*train, strict=True)
        shown: Sequence[float] = y
        if len(y) > NOISY:
            axes.plot(x, y, color=color, alpha=0.25, linewidth=0.8)
            shown = smooth(y)
        axes.plot(x, shown, color=color, label=f"{name}, training")
    if test:
        x, y = zip(*test, strict=True)
        marker = "o" if len(y) <= NOISY else ""
        label = f"{name}, test"
        axes.plot(x, y, color=color, linestyle="--", marker=marker, markersize=4, label=label)


def _first_test(log: TrainingLog) -> list[Entry]:
    return log.tests[min(log.tests)] if log.tests else []


def _all(log: TrainingLog) -> list[Entry]:
    return [*log.train, *_first_test(log)]


def _points(entries: Sequence[Entry], output: str, by_time: bool) -> Points:
    points = []
    for entry in entries:
        y = entry.outputs.get(output)
        if output == "loss" and entry.loss is not None:
            y = entry.loss
        if output == "lr":
            y = entry.rate
        x = entry.seconds if by_time else entry.iteration
        if x is not None and y is not None and y == y:  # not NaN
            points.append((x, y))
    return points
