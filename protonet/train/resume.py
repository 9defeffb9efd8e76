"""The state for an exact resume that weights and solver state do not contain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from protonet.graph.net import Net
from protonet.solvers.loss_scale import LossScale
from protonet.train.smoothing import SmoothedLoss


def resume_state(
    net: Net, tests: Sequence[Net], smoothed: SmoothedLoss, scale: LossScale | None
) -> dict[str, Any]:
    """Positions in the data, random number counters and losses: JSON values only."""
    state = {
        "net": net.state(),
        "tests": [each.state() for each in tests],
        "losses": smoothed.state(),
    }
    return state if scale is None else {**state, "loss_scale": scale.state()}


def restore_resume_state(
    state: Mapping[str, Any],
    net: Net,
    tests: Sequence[Net],
    smoothed: SmoothedLoss,
    scale: LossScale | None,
) -> None:
    """Restore such a state."""
    net.restore(state["net"])
    smoothed.restore(state["losses"])
    if scale is not None and "loss_scale" in state:
        scale.restore(state["loss_scale"])
    for each, saved in zip(tests, state["tests"], strict=False):
        each.restore(saved)
