"""Before anything is timed: all sides compute the same."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from cases import Case
from processes import Asker

_OUTPUTS = 1e-3
"""Outputs and losses: the largest difference, relative to the largest value."""
_ROUNDED = 0.1
"""The same where products are rounded to fewer bits."""
_CHANGES = 0.2
"""What two iterations change in a parameter: the norm of the difference, relative to its own.

Rounding alone makes 3 % of a gradient behind fifty layers with BatchNorm, on either side, as
float64 shows; it also decides which side of 0 a value of a ReLU is on.
"""
_ROUNDING = 1e-6
"""Of a parameter's own norm: what rounding leaves of a change that is far smaller."""


class DifferenceError(Exception):
    """The sides do not compute the same: the benchmark would compare two things."""


def check_inference(case: Case, sides: Mapping[str, Asker], weights: Path) -> None:
    """The outputs of the sides at the case's batch are those of protonet."""
    for side in sides.values():
        side.ask("inference", case=case.name, weights=str(weights), batch=case.batch)
        side.ask("run", iterations=1)
    protonet, *others = _results(sides, weights.parent)
    for other in others:
        _same_values(case, "output", protonet["output"], other["output"], _allowed(sides))


def check_training(case: Case, sides: Mapping[str, Asker], weights: Path) -> None:
    """Two iterations without Dropout have the same loss and change each parameter equally.

    That covers the pass backward, rate, momentum and weight decay.
    """
    for side in sides.values():
        side.ask("training", case=case.name, weights=str(weights), dropout=False)
        side.ask("run", iterations=2)
    protonet, *others = _results(sides, weights.parent)
    with np.load(weights) as arrays:
        before = dict(arrays)
    for other in others:
        _same_changes(case, before, protonet, other, sides)


def _same_changes(
    case: Case,
    before: Mapping[str, np.ndarray],
    protonet: Mapping[str, np.ndarray],
    other: Mapping[str, np.ndarray],
    sides: Mapping[str, Asker],
) -> None:
    if protonet.keys() != other.keys():
        raise DifferenceError(f"{case.name}: {protonet.keys() ^ other.keys()} are of one side only")
    for name in protonet:
        if name == "loss":
            _same_values(case, name, protonet[name], other[name], _allowed(sides))
            continue
        if not sides["protonet"].setting.is_exact:
            continue  # rounding alone moves some of them anywhere
        a, b = protonet[name] - before[name], other[name] - before[name]
        allowed = _CHANGES * np.linalg.norm(b) + _ROUNDING * np.linalg.norm(before[name])
        if not np.linalg.norm(a - b) <= allowed:
            raise DifferenceError(
                f"{case.name}: parameter {name} changes by {np.linalg.norm(a):.3g} here and "
                f"{np.linalg.norm(b):.3g} there, {np.linalg.norm(a - b):.3g} apart"
            )


def _results(sides: Mapping[str, Asker], folder: Path) -> list[dict[str, np.ndarray]]:
    """The results of each side, protonet first."""
    found = []
    for number, name in enumerate(["protonet", *(name for name in sides if name != "protonet")]):
        path = folder / f"results-{number}.npz"
        sides[name].ask("results", path=str(path))
        with np.load(path) as arrays:
            found.append(dict(arrays))
        path.unlink()
    return found


def _allowed(sides: Mapping[str, Asker]) -> float:
    return _OUTPUTS if sides["protonet"].setting.is_exact else _ROUNDED


def _same_values(case: Case, what: str, a: np.ndarray, b: np.ndarray, allowed: float) -> None:
    if a.shape != b.shape:
        raise DifferenceError(f"{case.name}: {what} is {a.shape} here and {b.shape} there")
    apart = float(np.abs(a - b).max() / np.abs(b).max())
    if not apart <= allowed:
        raise DifferenceError(f"{case.name}: {what} differs by {apart:.2g} of the largest value")
