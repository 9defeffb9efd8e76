"""The layers of a plan as one net runs them."""

from __future__ import annotations

from typing import Any

from protonet.device import Device
from protonet.graph.plan import Plan
from protonet.kernels.random_stream import Clock, RandomStream
from protonet.layers import Layer
from protonet.layers.base import Owner, prepared


def prepared_layers(
    plan: Plan, device: Device, dtype: Any, seed: int, clock: Clock, *, gradients: bool
) -> tuple[Layer, ...]:
    """A copy of each step's layer, with a device and random numbers, and with the layers that its
    passes compute as well; without parameters and scratch. Files and users' objects are each
    net's own.
    """
    made: dict[int, Layer] = {}
    for index in range(len(plan.steps) - 1, -1, -1):
        step = plan.steps[index]
        random = RandomStream(device, seed, step.name, clock)
        fused = [made[at] for at in step.absorbed]
        layer = step.layer.own(step.shapes) if isinstance(step.layer, Owner) else step.layer
        made[index] = prepared(layer, device, dtype, random, gradients=gradients, fused=fused)
    return tuple(made[index] for index in range(len(plan.steps)))
