"""Whether a net can fit into a device: checked before anything is allocated."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from protonet.device import Device
from protonet.errors import DeviceError
from protonet.graph.plan import Plan, Step
from protonet.sizes import byte_count


@dataclass(frozen=True)
class _Minimum:
    """The least bytes that a step needs to run: its tops, and its parameters with gradients."""

    step: int
    blobs: int
    parameters: int

    @property
    def total(self) -> int:
        return self.blobs + self.parameters


def check_capacity(
    plan: Plan,
    device: Device,
    *,
    gradients: bool,
    packed: bool,
    precision: Any = np.float32,
    limit: int | None = None,
) -> None:
    """Refuse a net that cannot fit: its lower bound is more than the device has, or ``limit``.
    ``graph.estimate`` estimates what it actually takes.

    Raises:
        DeviceError: at the line of the layer that needs the most.
    """
    most = device.most_memory() if limit is None else limit
    needs = _needs(plan, np.dtype(precision).itemsize, gradients)
    parameters = sum(need.parameters for need in needs)
    blobs = [need.blobs for need in needs]
    least = parameters + (max(blobs, default=0) if packed else sum(blobs))
    if least <= most:
        return
    largest = max(needs, key=lambda need: need.total)
    step = plan.steps[largest.step]
    of = f"device '{device.name}' has" if limit is None else "may be taken"
    message = (
        f'layer "{step.name}" ({step.type}) needs {byte_count(largest.blobs)} for its tops and '
        f"{byte_count(largest.parameters)} for its parameters, the net at least "
        f"{byte_count(least)}: more than the {byte_count(most)} that {of}"
    )
    place = plan.definition.origins[largest.step]
    hint = "a smaller batch, image or num_output needs less"
    raise DeviceError(str(plan.definition.source.mistake(place, message, hint)))


def largest_layer(plan: Plan, precision: Any = np.float32) -> str:
    """The layer with the largest tops and parameters, and their size, for a message."""
    needs = _needs(plan, np.dtype(precision).itemsize, False)
    largest = max(needs, key=lambda need: need.total)
    step = plan.steps[largest.step]
    return f'layer "{step.name}" ({step.type}) alone {byte_count(largest.total)}'


def _needs(plan: Plan, size: int, gradients: bool) -> list[_Minimum]:
    minima = []
    for index, step in enumerate(plan.steps):
        blobs = sum(
            size * math.prod(value.shape)
            for place, value in enumerate(step.tops)
            if not _over_bottom(step, place)
        )
        owned = sum(param.weight.count for param in step.params if param.owner is None)
        minima.append(_Minimum(index, blobs, 4 * owned * (2 if gradients else 1)))
    return minima


def _over_bottom(step: Step, place: int) -> bool:
    """Whether a top may share the memory of a bottom, by name or as a view."""
    return step.is_view or step.tops[place].name in {value.name for value in step.bottoms}
