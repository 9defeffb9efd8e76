"""The passes of a net for one set of shapes: layers, arrays and prepared calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from protonet.blob import Array, Shape
from protonet.device import Device
from protonet.graph.arrays import Arrays
from protonet.graph.calls import Calls, Following, StepCalls
from protonet.graph.memory import Layout
from protonet.graph.operations import weight_of
from protonet.graph.plan import Plan
from protonet.kernels.kernel import Call
from protonet.layers import Layer
from protonet.layers.base import Owner
from protonet.layers.instantiation import instantiate
from protonet.ranks.communicator import Part


@dataclass(frozen=True)
class Passes:
    """What of a net depends on the shapes: ``layers`` built for them, ``arrays`` of these shapes,
    and the calls over them.

    ``part`` is that of the batch, None for all. ``losses`` are loss weights and arrays;
    ``backward_steps`` is empty without gradients.
    """

    plan: Plan
    layers: tuple[Layer, ...]
    arrays: Arrays
    calls: Calls
    part: Part | None
    losses: list[tuple[float, Array]]
    forward_steps: list[list[StepCalls]]
    backward_steps: list[StepCalls]
    forward: list[list[Call]] = field(init=False)
    backward: list[Call] = field(init=False)
    backward_by_step: dict[int, list[Call]] = field(init=False)

    def __post_init__(self) -> None:
        forward = [[c for _, calls in segment for c in calls] for segment in self.forward_steps]
        object.__setattr__(self, "forward", forward)
        object.__setattr__(self, "backward", [c for _, each in self.backward_steps for c in each])
        object.__setattr__(self, "backward_by_step", dict(self.backward_steps))

    @property
    def batch(self) -> tuple[Shape, ...]:
        """What may vary from pass to pass, as of ``batch_of``."""
        steps = (self.plan.steps[index] for index in self.plan.varying)
        return batch_of([value.shape for step in steps for value in step.tops], self.part)

    def rebuild_shared(self) -> None:
        """Build the layers that passes of several shapes share for the shapes of these."""
        for step, layer in zip(self.plan.steps, self.layers, strict=True):
            if step.bottoms and isinstance(layer, Owner):
                layer.random = layer.random.of(self.part)
                layer.infer(step.shapes)
                layer.build(step.shapes)


def prepare(
    plan: Plan,
    layers: tuple[Layer, ...],
    layout: Layout,
    arrays: Arrays,
    device: Device,
    follow: tuple[Following, Following],
    loss_scale: Array | None,
    part: Part | None,
    *,
    gradients: bool,
) -> Passes:
    """Prepare the calls; ``follow`` are the two functions of ``Calls.forward``."""
    calls = Calls(plan, layers, layout, arrays, device, loss_scale, part)
    return Passes(
        plan,
        layers,
        arrays,
        calls,
        part,
        [(weight_of(plan, v, part), arrays.data[v]) for v in plan.values if v.loss_weight],
        calls.forward(*follow),
        calls.backward() if gradients else [],
    )


def batch_of(shapes: Sequence[Shape], part: Part | None) -> tuple[Shape, ...]:
    """What passes are prepared for: the shapes of the tops that may vary from pass to pass, and the
    numbers of the part; empty if none vary.
    """
    whose = () if part is None or not shapes else ((part.first, part.count, part.whole),)
    return (*shapes, *whose)


def layers_for(plan: Plan, layers: Sequence[Layer], part: Part | None = None) -> tuple[Layer, ...]:
    """Layers for other shapes and another part, with the parameters of ``layers``: those that own
    something or have no bottoms are the same, the others are new and built for the plan's shapes.
    """
    made: dict[int, Layer] = {}
    for index in range(len(plan.steps) - 1, -1, -1):
        step, layer = plan.steps[index], layers[index]
        if not step.bottoms or isinstance(layer, Owner):
            made[index] = layer
            continue
        made[index] = instantiate(
            step.layer,
            layer.device,
            layer.dtype,
            layer.random.of(part),
            gradients=layer.gradients,
            fused=[made[at] for at in step.absorbed],
        )
        made[index].params = layer.params
        made[index].pixels = layer.pixels
    for index, step in enumerate(plan.steps):
        if step.bottoms and not isinstance(made[index], Owner):
            made[index].build(step.shapes)
    return tuple(made[index] for index in range(len(plan.steps)))
