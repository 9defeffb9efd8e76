"""The best value of each output over a training."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from protonet.jobs.run.directory import RunDirectory
from protonet.train.events import COCO
from protonet.train.listeners import read_metrics

Way = Literal["highest", "lowest"]
Numbers = npt.NDArray[np.float64]
Curve = tuple[Numbers, Numbers]
"""Iterations and values; a value that is absent is NaN."""

TRAINING_LOSS, VALIDATION_LOSS = "training loss", "validation loss"
_HIGH = ("accuracy", "iou", "precision", "recall", "map", "top", "auc", "f1", "detection")
_LOW = ("loss", "error", "distance", "perplexity", "mse", "mae")


@dataclass(frozen=True)
class Best:
    """A value and its iteration. ``way`` is which values are better; None for an output of which
    that is unknown: then it is the last value.
    """

    value: float
    iteration: int
    way: Way | None


def way_of(name: str, outputs: Collection[str] = ()) -> Way | None:
    """Which values of an output are better, by its name; ``outputs`` are all of the same net."""
    if name.endswith(COCO) or name + COCO in outputs:
        return "highest"  # a mean average precision
    for told in (name.lower().rpartition("/")[2], name.lower()):  # loss3/top-1 is an accuracy
        if any(part in told for part in _LOW):
            return "lowest"
        if any(part in told for part in _HIGH):
            return "highest"
    return None


def best_values(curves: Mapping[str, Curve]) -> dict[str, Best]:
    """The best value of each curve that has any."""
    found = {}
    for name, (iterations, values) in curves.items():
        known = np.flatnonzero(np.isfinite(values))
        if not len(known):
            continue
        way = way_of(name, curves)
        part = values[known]
        place = -1 if way is None else int(part.argmax() if way == "highest" else part.argmin())
        at = known[place]
        found[name] = Best(float(values[at]), int(iterations[at]), way)
    return found


def read_curves(run: RunDirectory) -> dict[str, Curve]:
    """The losses of a run, and the outputs of its first test net that are not its loss.

    Raises:
        FormatError: for a damaged metrics.jsonl.
    """
    lines = read_metrics(run.metrics)
    shown = [line for line in lines if line["event"] == "iterated"]
    tested = [line for line in lines if line["event"] == "tested" and line["net"] == 0]
    points: dict[str, list[tuple[int, float | None]]] = {
        TRAINING_LOSS: [(line["iteration"], line["loss"]) for line in shown],
        VALIDATION_LOSS: [(line["iteration"], line["loss"]) for line in tested],
    }
    for line in tested:
        for name, value in line["outputs"].items():
            values = value if isinstance(value, list) else [value]
            for place, each in enumerate(values):
                label = name if len(values) == 1 else f"{name}[{place}]"
                points.setdefault(label, []).append((line["iteration"], each))
    return without_copies({name: _curve(part) for name, part in points.items()})


def without_copies(curves: Mapping[str, Curve]) -> dict[str, Curve]:
    """The curves, without outputs of the test net that are its loss."""
    loss = curves[VALIDATION_LOSS]
    return {
        name: curve
        for name, curve in curves.items()
        if name == VALIDATION_LOSS or not _same(curve, loss)
    }


def _curve(points: list[tuple[int, float | None]]) -> Curve:
    iterations = np.array([at for at, _ in points], np.float64)
    values = [np.nan if value is None else value for _, value in points]
    return iterations, np.array(values, np.float64)


def _same(curve: Curve, other: Curve) -> bool:
    """Whether two curves are one, as a loss and the weighted sum of all losses may be."""
    return len(curve[0]) > 0 and all(
        np.array_equal(a, b, equal_nan=True) for a, b in zip(curve, other, strict=True)
    )
