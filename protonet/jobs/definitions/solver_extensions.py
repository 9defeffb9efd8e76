"""Solver settings that Caffe does not have: stored in run.json, not in files that Caffe reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from protonet.proto.caffe_pb2 import SolverParameter

_FIELDS = (
    *("rampup_interval", "rampup_lr", "min_lr", "warmup_iter", "warmup_start_lr"),
    *("stagelr", "stageiter", "larc", "larc_policy", "larc_eta"),
    *("local_lr_auto", "local_gw_ratio", "test_offset"),
    *("dampening", "nesterov", "learning_rate_decay"),
)
"""Fields that stock Caffe does not know."""

_NEAREST = {
    "type": {
        "AdamW": "Adam",
        "TorchSGD": "SGD",
        "TorchNAG": "Nesterov",
        "TorchAdam": "Adam",
        "TorchAdaGrad": "AdaGrad",
        "TorchRMSProp": "RMSProp",
        "TorchAdaDelta": "AdaDelta",
    },
    "lr_policy": {"cosine": "poly", "multifixed": "fixed", "torch_sgd": "fixed"},
}
"""Values that stock Caffe does not know, and Caffe's nearest ones."""


def split(solver: SolverParameter) -> tuple[SolverParameter, dict[str, Any]]:
    """The solver as stock Caffe can read it, and the removed values by field."""
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
    """Restore the values that ``split`` removed."""
    for name, value in left.items():
        if isinstance(value, list):
            getattr(solver, name)[:] = value
        else:
            setattr(solver, name, value)


def heading(left: Mapping[str, Any]) -> str:
    """A comment for the top of the plain solver's text; empty if nothing was removed."""
    if not left:
        return ""
    told = ", ".join(f"{name} {_shown(value)}" for name, value in left.items())
    return f"# Not in Caffe, and stored in run.json: {told}.\n"


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
