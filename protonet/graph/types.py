"""Which values of a plan are kept in 16 bits, and which layers are given them as they are.

Rounding begins where values are multiplied with weights (``Narrows.ALWAYS``) and goes on through
layers that keep to the type of their bottoms; images, labels, losses, indices and boxes stay in
float32. A layer whose passes do not take 16 bits is given copies in float32, which live as long
as its pass; that is every layer on a CPU.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from protonet.device import Device
from protonet.graph.metering import takes_narrow
from protonet.graph.names import Value
from protonet.graph.plan import Plan, Step
from protonet.layers.base import Narrows
from protonet.precision import is_narrow

Type = np.dtype[Any]


@dataclass(frozen=True)
class Types:
    """``values`` are the types of values and their gradients, where they are not ``wide``;
    ``steps`` those in which steps compute.
    """

    wide: Type
    values: dict[Value, Type]
    steps: dict[int, Type]

    def of(self, value: Value) -> Type:
        """The type of a value and of its gradient."""
        return self.values.get(value, self.wide)

    def in_step(self, index: int) -> Type:
        """The type of all that a step's passes are given."""
        return self.steps.get(index, self.wide)

    def copied(self, index: int, value: Value) -> bool:
        """Whether a step is given a copy of a value in another type."""
        return self.of(value) != self.in_step(index)

    def bytes_of(self, value: Value) -> int:
        """What a value takes, and its gradient as much again."""
        return value.count * self.of(value).itemsize


def all_of(dtype: Any) -> Types:
    """Every value of one type."""
    return Types(np.dtype(dtype), {}, {})


FLOATS = all_of(np.float32)
"""Every value in float32."""


def choose_types(plan: Plan, device: Device, wide: Any, precision: Any) -> Types:
    """The types for values of ``precision`` where that does no harm, and ``wide`` elsewhere.

    The plan must be fused already: what one layer computes for another is of its type.
    """
    wide, precision = np.dtype(wide), np.dtype(precision)
    if not is_narrow(precision):
        return all_of(wide)
    kept = _kept_wide(plan)
    values: dict[Value, Type] = {}
    steps: dict[int, Type] = {}
    for index, step in enumerate(plan.steps):
        for place, top in enumerate(step.tops):
            if top not in kept and _narrows(step, place, values):
                values[top] = precision
        if step.absorbed_by is not None:
            computed = step.absorbed_by in steps
        else:
            makes = _makes_narrow(step, values)
            computed = makes and takes_narrow(
                step.layer, step.shapes, device, precision, plan.absorbed_layers(step)
            )
        if computed:
            steps[index] = precision
    return Types(wide, values, steps)


def _narrows(step: Step, place: int, values: dict[Value, Type]) -> bool:
    """Whether a top is kept in 16 bits."""
    if step.is_view:
        # the same memory
        return step.bottoms[min(place, len(step.bottoms) - 1)] in values
    if step.layer.traits.narrows is Narrows.ALWAYS:
        return True
    every = bool(step.bottoms) and all(bottom in values for bottom in step.bottoms)
    return step.layer.traits.narrows is Narrows.WITH_BOTTOMS and every


def _kept_wide(plan: Plan) -> set[Value]:
    """What stays in float32 whoever makes it: losses, and what decides shapes by its values."""
    kept = {value for value in plan.values if value.loss_weight}
    for step in reversed(plan.steps):
        decides = step.dynamic
        shares = step.is_view and kept.intersection(step.tops)
        if decides or shares:
            kept.update(step.bottoms)
    return kept


def _makes_narrow(step: Step, values: dict[Value, Type]) -> bool:
    """Whether all tops are of 16 bits. Where one is not, nothing that it is made of is rounded."""
    return bool(step.tops) and all(top in values for top in step.tops)
