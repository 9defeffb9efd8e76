"""The table of a plan's layers: what ``protonet check`` prints."""

from __future__ import annotations

from dataclasses import dataclass

from protonet.blob import Shape
from protonet.graph.memory import lay_out
from protonet.graph.plan import Plan

_FLOAT = 4


@dataclass(frozen=True)
class Row:
    """One layer: its blobs as (name, shape) pairs and its count of parameters of its own."""

    name: str
    type: str
    bottoms: tuple[tuple[str, Shape], ...]
    tops: tuple[tuple[str, Shape], ...]
    parameters: int


@dataclass(frozen=True)
class Summary:
    """The layers of a plan and, in bytes of float32, the memory it takes.

    ``training_bytes`` counts blobs, their gradients, parameters, their gradients and one history
    of a solver with momentum; ``inference_bytes`` counts shared blobs and parameters. Scratch
    arrays of layers come on top.
    """

    rows: tuple[Row, ...]
    parameters: int
    training_bytes: int
    inference_bytes: int


def summarize(plan: Plan) -> Summary:
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
    parameters = sum(row.parameters for row in rows)
    return Summary(
        rows,
        parameters,
        _FLOAT * (lay_out(plan, gradients=True).elements + 3 * parameters),
        _FLOAT * (lay_out(plan, gradients=False, share=True).elements + parameters),
    )
