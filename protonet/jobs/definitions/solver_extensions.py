"""What a run's solver has beyond Caffe's: kept in run.json, never in a file that Caffe reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from protonet.proto.caffe_pb2 import SolverParameter

_FIELDS = (
    *("rampup_interval", "rampup_lr", "min_lr", "warmup_iter", "warmup_start_lr"),
    *("stagelr", "stageiter", "larc", "larc_policy", "larc_eta"),
)
"""Fields that stock Caffe does not know."""

_NEAREST = {"type": {"AdamW": "Adam"}, "lr_policy": {"cosine": "poly", "multifixed": "fixed"}}
"""Values that stock Caffe does not know, and what comes nearest to them in it."""


def split(solver: SolverParameter) -> tuple[SolverParameter, dict[str, Any]]:
    """The solver as stock Caffe can read it, and by field what that had to leave out."""
    plain = SolverParameter()
    plain.CopyFrom(solver)
    left: dict[str, Any] = {}
    given = {field.name: value for field, value in solver.ListFields()}
    for name in _FIELDS:
        if name in given:
            value = given[name]
            left[name] = value if isinstance(value, int | float | str) else list(value)
            plain.ClearField(name)
    for name, nearest in _NEAREST.items():
        value = getattr(solver, name)
        if value in nearest:
            left[name] = value
            setattr(plain, name, nearest[value])
    if left.get("lr_policy") == "cosine" and not plain.HasField("power"):
        plain.power = 1.0
    if left.get("lr_policy") == "multifixed" and not plain.HasField("base_lr"):
        plain.base_lr = solver.stagelr[0]
    return plain, left


def merge(solver: SolverParameter, left: Mapping[str, Any]) -> None:
    """Put back into a plain solver what ``split`` left out."""
    for name, value in left.items():
        if isinstance(value, list):
            getattr(solver, name)[:] = value
        else:
            setattr(solver, name, value)


def heading(left: Mapping[str, Any]) -> str:
    """A comment for the top of the plain solver's text; empty where nothing was left out."""
    if not left:
        return ""
    told = ", ".join(f"{name} {_shown(value)}" for name, value in left.items())
    return f"# What Caffe has not, and run.json keeps: {told}.\n"


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
