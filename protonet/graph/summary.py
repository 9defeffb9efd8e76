"""The table of a plan's layers: what ``protonet check`` prints."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from protonet.blob import Shape
from protonet.graph.estimate import Estimate, estimate
from protonet.graph.plan import Plan


@dataclass(frozen=True)
class Row:
    """One layer: its blobs as (name, shape) pairs, and the count of parameters that it owns."""

    name: str
    type: str
    bottoms: tuple[tuple[str, Shape], ...]
    tops: tuple[tuple[str, Shape], ...]
    parameters: int


@dataclass(frozen=True)
class Summary:
    """The layers of a plan, and its memory.

    ``training_bytes`` adds to the estimate the optimizer state of a solver with momentum: history
    and scratch, each as large as the parameters.
    """

    rows: tuple[Row, ...]
    parameters: int
    training: Estimate
    inference: Estimate

    @property
    def training_bytes(self) -> int:
        """The memory of a training."""
        return self.training.total + 2 * self.training.parameters

    @property
    def inference_bytes(self) -> int:
        """The memory of inference."""
        return self.inference.total


def summarize(
    plan: Plan, *, recompute: bool = False, fuse: bool = True, precision: Any = np.float32
) -> Summary:
    """Describe a plan without allocating anything."""
    rows = tuple(
        Row(
            step.name,
            step.type,
            tuple((value.name, value.shape or ()) for value in step.bottoms),
            tuple((value.name, value.shape or ()) for value in step.tops),
            sum(param.weight.count for param in step.params if param.owner is None),
        )
        for step in plan.steps
    )
    how: Any = {"fuse": fuse, "precision": precision}
    return Summary(
        rows,
        sum(row.parameters for row in rows),
        estimate(plan, gradients=True, recompute=recompute, **how),
        # inference loads no data set
        replace(estimate(plan, gradients=False, keep_weights=True, **how), data=0),
    )
