"""The memory that a plan takes, estimated without allocating it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from protonet.errors import LayerError
from protonet.graph.fusion import fuse as fuse_layers
from protonet.graph.fusion import fusions
from protonet.graph.memory import lay_out
from protonet.graph.meta_device import MetaDevice, build_on
from protonet.graph.pixels import form_of, with_pixels
from protonet.graph.plan import Plan
from protonet.graph.shapes import at_batch
from protonet.graph.types import Types, choose_types
from protonet.layers.base import Stateful
from protonet.layers.packed_weights import packed_growth

_FLOAT = 4


@dataclass(frozen=True)
class Estimate:
    """Bytes of a net.

    ``blobs`` are values and their gradients, ``scratch`` the scratch of layers and workspace of
    kernels, ``parameters`` and ``gradients`` the weights and their gradients, ``data`` images and
    batches that data layers hold in host memory. ``recompute_savings`` is what recomputation saves,
    and ``recomputed`` names the layers that it runs twice. ``fused`` names layers that compute
    others, followed by those, in order.
    """

    blobs: int
    scratch: int
    parameters: int
    gradients: int
    data: int
    recompute_savings: int = 0
    recomputed: tuple[str, ...] = ()
    fused: tuple[tuple[str, ...], ...] = ()

    @property
    def total(self) -> int:
        """The sum of all parts."""
        return self.blobs + self.scratch + self.parameters + self.gradients + self.data


def estimate(
    plan: Plan,
    *,
    gradients: bool,
    packed: bool = True,
    recompute: bool = False,
    fuse: bool = True,
    precision: Any = np.float32,
    keep_weights: bool = False,
) -> Estimate:
    """The memory of a net of this plan, as ``Net`` builds it with these options; where it keeps
    weights, parameters that are only read packed are released when they are loaded.
    """
    if packed and fuse:
        plan = fuse_layers(plan, gradients=gradients)
    device = MetaDevice()
    types = choose_types(plan, device, np.float32, precision)
    if packed and not gradients:
        types = with_pixels(plan, device, types, keep_weights=keep_weights)
    layout = lay_out(plan, types, gradients=gradients, packed=packed, recompute=recompute)
    how: Any = {"gradients": gradients, "keep_weights": keep_weights}
    growth = sum(_build(plan, index, types, device, **how) for index in range(len(plan.steps)))
    parameters = parameter_bytes(plan) + growth
    stateful = [step.layer for step in plan.steps if isinstance(step.layer, Stateful)]
    return Estimate(
        layout.bytes,
        device.allocated + device.workspace + (device.backward_workspace if gradients else 0),
        parameters,
        parameters if gradients else 0,
        sum(layer.cached_bytes() for layer in stateful),
        layout.recompute_savings,
        tuple(
            plan.steps[i].name
            for i in sorted({i for each in layout.recompute_before.values() for i in each})
        ),
        tuple((name, *absorbed) for name, absorbed in fusions(plan)),
    )


def _build(plan: Plan, index: int, types: Types, device: MetaDevice, **how: Any) -> int:
    """Build a step on the meta device; the bytes that its packed weights take more."""
    step = plan.steps[index]
    fused, dtype = plan.absorbed_layers(step), types.in_step(index)
    form = form_of(types, index, step)
    made = build_on(device, step.layer, step.shapes, dtype, fused=fused, pixels=form, **how)
    if not how["keep_weights"] or not step.params or step.params[0].owner is not None:
        return 0
    borrowed = {param.owner for each in plan.steps for param in each.params}
    return packed_growth(made, shared=(index, 0) in borrowed)


def parameter_bytes(plan: Plan) -> int:
    """Of the parameters, as they are in a file."""
    owned = [param for step in plan.steps for param in step.params if param.owner is None]
    return _FLOAT * sum(param.weight.count for param in owned)


def fitting_batch(plan: Plan, limit: int, needs: Callable[[Plan], int]) -> int | None:
    """The largest batch size, below the plan's own, with which ``needs(plan)`` is at most
    ``limit``; 0 if there is none, None if it cannot be determined: data layers have different
    batch sizes, or shapes do not follow from them.
    """
    data = [value for step in plan.steps if not step.bottoms for value in step.tops]
    sizes = {value.shape[0] for value in data if value.shape}
    if len(sizes) != 1 or any(step.dynamic for step in plan.steps):
        return None
    low, high = 0, sizes.pop()
    try:
        while high - low > 1:
            middle = (low + high) // 2
            fits = needs(at_batch(plan, middle)) <= limit
            low, high = (middle, high) if fits else (low, middle)
    except LayerError:
        return None
    return low
