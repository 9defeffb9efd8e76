"""The layers of a plan as one net runs them, and what it keeps of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from protonet.blob import Array
from protonet.device import Device
from protonet.graph.names import Value
from protonet.graph.plan import Plan
from protonet.kernels.random_stream import Clock, RandomStream
from protonet.layers import Layer
from protonet.layers.base import Owner, Stateful
from protonet.layers.preparing import prepared


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


def loss_scale_of(device: Device, precision: Any) -> Array | None:
    """What a net's losses are multiplied by, 1 to begin with; None where values have the range of
    float32.
    """
    if np.dtype(precision) != np.float16:
        return None
    scale = device.zeros(())
    scale.fill(1.0)
    return scale


def build_layers(
    plan: Plan, layers: Sequence[Layer], data: Mapping[Value, Array], *, again: bool
) -> None:
    """Let layers make their scratch, and those whose tops stay write them.

    A second time, layers without bottoms stay as they are: their shapes are their own.
    """
    for step, layer in zip(plan.steps, layers, strict=True):
        if step.bottoms or not again:
            layer.build(step.shapes)
        if step.layer.traits.keeps_tops and not again:
            layer.forward([], [data[value] for value in step.tops])


def states_of(layers: Sequence[Layer]) -> dict[str, Any]:
    """What layers that remember need for an exact resume, by name: JSON values only."""
    keepers = (layer for layer in layers if isinstance(layer, Stateful))
    states = {layer.name: layer.state() for layer in keepers}
    return {name: state for name, state in states.items() if state}


def restore_states(layers: Sequence[Layer], states: Mapping[str, Any]) -> None:
    """Take up such states again."""
    for layer in layers:
        if isinstance(layer, Stateful) and layer.name in states:
            layer.restore(states[layer.name])
