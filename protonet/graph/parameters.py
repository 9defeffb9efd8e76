"""The parameters of a net: filled, packed into flat arrays, and bound to the layers."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from protonet.blob import Array, Param, ParamStore
from protonet.device import Device
from protonet.errors import FormatError
from protonet.graph.plan import Plan, Step
from protonet.graph.weights import takes_stored
from protonet.layers.base import Layer, shape_text
from protonet.layers.fillers import fill


def make_params(
    plan: Plan,
    layers: Sequence[Layer],
    device: Device,
    dtype: Any,
    seed: int,
    lent: Mapping[str, Sequence[Param]],
    *,
    gradients: bool,
    loaded: Collection[str] = (),
    flat: bool = True,
) -> ParamStore:
    """Bind the ``layers`` of a net of this plan to their ``params``; the store holds those that
    the net owns.

    ``lent`` are the parameters of another net by layer name, used where the shapes are equal.
    Layers of the names in ``loaded`` are not filled. Without ``flat``, parameters have arrays of
    their own.
    """
    owned: dict[tuple[int, int], Param] = {}
    others: dict[tuple[int, int], Param] = {}
    for index, step in enumerate(plan.steps):
        theirs = lent.get(step.name, [])
        for place, planned in enumerate(step.params):
            if planned.owner is not None:
                continue
            if place < len(theirs) and theirs[place].shape == planned.weight.shape:
                others[index, place] = theirs[place]
            else:
                owned[index, place] = _empty(step, place, device, dtype)
    params = list(owned.values())
    store = ParamStore(params, device, dtype, gradients=gradients, zero=True, flat=flat)
    for (index, place), param in owned.items():
        if plan.steps[index].name in loaded and takes_stored(layers[index]):
            continue
        _fill(plan.steps[index], place, device, param.data, seed)
    _bind(plan, layers, {**owned, **others})
    return store


def _bind(plan: Plan, layers: Sequence[Layer], params: Mapping[tuple[int, int], Param]) -> None:
    """Give the layers their parameters; of one that another layer owns, a view."""
    for index, (step, layer) in enumerate(zip(plan.steps, layers, strict=True)):
        layer.params = [
            params[index, place]
            if planned.owner is None
            else params[planned.owner].view(planned.weight.shape)
            for place, planned in enumerate(step.params)
        ]


def _empty(step: Step, place: int, device: Device, dtype: Any) -> Param:
    """A parameter before the store allocates it: a zero broadcast to its shape."""
    planned = step.params[place]
    data = device.xp.broadcast_to(device.zeros((), dtype), planned.weight.shape)
    name = planned.name if planned.name else f"{step.name}/{place}"
    return Param(name, data, None, planned.lr_mult, planned.decay_mult)


def _fill(step: Step, place: int, device: Device, data: Array, seed: int) -> None:
    """Fill a parameter: its values are a function of the seed and the layer's name."""
    weight = step.params[place].weight
    if weight.values is not None:
        device.put(weight.values, data)
        return
    key = np.random.SeedSequence([seed % 2**64, zlib.crc32(step.name.encode()), place])
    generator = np.random.Generator(np.random.Philox(key))
    if device.is_cpu:
        fill(weight.filler, weight.shape, generator, data.dtype, out=data)
    else:
        device.put(fill(weight.filler, weight.shape, generator, data.dtype), data)


def share_params(plan: Plan, layers: Sequence[Layer], lent: Mapping[str, Sequence[Param]]) -> None:
    """Share the data of another net's parameters with the layers of the same names.

    Raises:
        FormatError: where their count or shapes differ; then nothing is shared.
    """
    sharing = [
        (step, layer) for step, layer in zip(plan.steps, layers, strict=True) if layer.name in lent
    ]
    for _, layer in sharing:
        ours = [param.shape for param in layer.params]
        theirs = [param.shape for param in lent[layer.name]]
        if ours != theirs:
            got, expected = (", ".join(map(shape_text, each)) for each in (theirs, ours))
            raise FormatError(
                f"layer '{layer.name}' cannot share parameters: expected {expected}, got {got}"
            )
    for step, layer in sharing:
        for param, other in zip(layer.params, lent[layer.name], strict=True):
            param.packed.clear()
            param.data, param.released = other.data, other.released
        layer.build(step.shapes)


def rewrite_gradients(plan: Plan, layers: Sequence[Layer], store: ParamStore) -> list[Array]:
    """Make backward passes write gradients instead of accumulating them, where the layer can and
    no other layer shares the parameter; returns the gradients that must still be zeroed before
    each pass.
    """
    borrowed = {planned.owner for step in plan.steps for planned in step.params}
    rewritten = [
        layer.params[place]
        for index, (step, layer) in enumerate(zip(plan.steps, layers, strict=True))
        for place in layer.traits.rewrites
        if step.runs_backward and (index, place) not in borrowed
    ]
    chosen = [param for param in rewritten if param.wanted and param in store.params]
    for param in chosen:
        param.rewritten = True
    return store.rest_of_diff(chosen)
