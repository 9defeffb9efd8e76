"""The layers of a plan as one net runs them, and their state."""

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
from protonet.layers.instantiation import instantiate
from protonet.layers.streams import Sharing
from protonet.ranks.communicator import Part


def prepared_layers(
    plan: Plan,
    device: Device,
    dtype: Any,
    seed: int,
    clock: Clock,
    *,
    gradients: bool,
    keep: bool = False,
) -> tuple[Layer, ...]:
    """A copy of each step's layer with its device, random stream and absorbed layers; without
    parameters and scratch. Each net has files and users' objects of its own. ``keep`` sets
    ``keeps_weights``.
    """
    made: dict[int, Layer] = {}
    part = part_of(plan)
    for index in range(len(plan.steps) - 1, -1, -1):
        step = plan.steps[index]
        random = RandomStream(device, seed, step.name, clock, part)
        fused = [made[at] for at in step.absorbed]
        layer = step.layer.own(step.shapes) if isinstance(step.layer, Owner) else step.layer
        made[index] = instantiate(layer, device, dtype, random, gradients=gradients, fused=fused)
        made[index].keeps_weights = keep
    return tuple(made[index] for index in range(len(plan.steps)))


def part_of(plan: Plan) -> Part | None:
    """The part of every batch that a net of this plan computes; None for all."""
    layers = [step.layer for step in plan.steps if isinstance(step.layer, Sharing)]
    return next((layer.part for layer in layers if layer.part is not None), None)


def weight_of(plan: Plan, value: Value, part: Part | None) -> float:
    """The weight of a loss in the objective of all ranks. Means over a part of the batch have its
    share, and so have sums, which layers divide by it; losses of single items are added up.
    """
    step = plan.steps[value.producer]
    whole = step.layer.is_loss or value.count == 1
    if step.type == "Reduction":
        from protonet.layers.reduction import Reduction  # for nets that have one

        assert isinstance(step.layer, Reduction)
        whole = step.layer.axes_of(step.bottoms[0].shape)[0] == 0
    if part is None:
        return value.loss_weight
    return value.loss_weight * (part.share if whole else 1 / part.copies)


def loss_scale_of(device: Device, precision: Any) -> Array | None:
    """The loss scale of a net, initially 1; None for types with the range of float32."""
    if np.dtype(precision) != np.float16:
        return None
    scale = device.zeros(())
    scale.fill(1.0)
    return scale


def build_layers(
    plan: Plan,
    layers: Sequence[Layer],
    data: Mapping[Value, Array],
    last: int | None = None,
    *,
    again: bool,
) -> None:
    """Build the layers' scratch, and run forward the layers whose tops are constant; only layers up
    to number ``last`` if it is given.

    With ``again``, layers without bottoms are skipped: their shapes do not change.
    """
    for index, (step, layer) in enumerate(zip(plan.steps, layers, strict=True)):
        if last is not None and index > last:
            break
        if step.bottoms or not again:
            layer.build(step.shapes)
        if step.layer.traits.persistent_tops and not again:
            layer.forward([], [data[value] for value in step.tops])


def states_of(layers: Sequence[Layer]) -> dict[str, Any]:
    """The states of stateful layers for an exact resume, by name: JSON values only."""
    stateful = (layer for layer in layers if isinstance(layer, Stateful))
    states = {layer.name: layer.state() for layer in stateful}
    return {name: state for name, state in states.items() if state}


def restore_states(layers: Sequence[Layer], states: Mapping[str, Any]) -> None:
    """Restore such states."""
    for layer in layers:
        if isinstance(layer, Stateful) and layer.name in states:
            layer.restore(states[layer.name])
