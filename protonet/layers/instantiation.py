"""From a layer's description to a layer of a net: blob counts are checked, a copy is bound."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from protonet.device import Device
from protonet.errors import LayerError
from protonet.kernels.random_stream import RandomStream
from protonet.layers.base import Fused, Layer


def check_arity(layer: Layer) -> None:
    """Raise LayerError when the spec has too few or too many bottoms or tops."""
    spec = layer.spec
    for kind, names, (least, most) in (
        ("bottom", spec.bottom, layer.bottoms),
        ("top", spec.top, layer.tops),
    ):
        found = len(names)
        if found < least or (most is not None and found > most):
            bounds = f"{least}" if most == least else f"{least} to {most}"
            if most is None:
                bounds = f"at least {least}"
            path = (kind, most) if most is not None and found > most else ()
            raise LayerError(f"expected {bounds} {kind} blob(s), got {found}", path)
    if layer.traits.one_to_one and len(spec.bottom) != len(spec.top):
        raise LayerError(
            f"expected one top for each bottom, got {len(spec.bottom)} bottom(s) "
            f"and {len(spec.top)} top(s)"
        )


def instantiate(
    layer: Layer,
    device: Device,
    dtype: Any,
    random: RandomStream,
    *,
    gradients: bool = True,
    fused: Sequence[Layer] = (),
) -> Layer:
    """A copy of a layer for a device; next, set its ``params`` and call ``build``.

    Without ``gradients``, ``backward`` is never called, and ``build`` need not prepare it.
    """
    made = copy.copy(layer)
    made.device, made.dtype, made.random = device, dtype, random
    made.gradients, made.params, made.fused = gradients, [], Fused(tuple(fused))
    return made
