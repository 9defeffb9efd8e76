"""Which convolutions over pixels are computed at once with the pooling of their results.

What is between them has no memory, and all run when the last does. A ReLU behind a pooling of
maxima is computed with it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np

from protonet.graph.chains import Chains, behind, convolution, is_alone
from protonet.graph.plan import Plan
from protonet.graph.types import Types
from protonet.kernels.pooled import pools_well
from protonet.layers.base import Kind

if TYPE_CHECKING:
    from protonet.layers.pooling import Pooling


def pooled(plan: Plan, types: Types, taken: Collection[int]) -> Chains:
    """The chains of a convolution, a pooling, and a ReLU or not, of a plan whose steps take pixels;
    without those whose steps are ``taken`` by others.
    """
    found: dict[int, tuple[int, ...]] = {}
    for index, step in enumerate(plan.steps):
        shape = None if index in taken else convolution(plan, types, index, planes=True)
        if shape is None or step.added or types.in_step(index) != np.float32:
            continue
        at = behind(plan, index)
        pooling = None if at is None else _pooling(plan, types, at)
        if at is None or pooling is None or not is_alone(plan, (index, at)):
            continue
        if not pools_well(shape, pooling.windows_over(plan.steps[at].shapes[0][2:])):
            continue
        last = behind(plan, at)
        if last is not None and not pooling.is_mean and _rectifies(plan, types, at, last):
            found[last] = (index, at, last)
        else:
            found[at] = (index, at)
    return found


def _pooling(plan: Plan, types: Types, index: int) -> Pooling | None:
    """The layer of a step that pools pixels of float32."""
    from protonet.layers.pooling import Pooling  # imported by nets with such layers only

    layer = plan.steps[index].layer
    if not isinstance(layer, Pooling) or type(layer).forward is not Pooling.forward:
        return None
    return layer if _is_plain(plan, types, index) else None


def _rectifies(plan: Plan, types: Types, pooling: int, index: int) -> bool:
    """Whether a step is the ReLU of what is pooled, right behind that."""
    kind = plan.steps[index].layer.traits.kind
    alone = kind is Kind.RECTIFIER and is_alone(plan, (pooling, index))
    return alone and _is_plain(plan, types, index)


def _is_plain(plan: Plan, types: Types, index: int) -> bool:
    """Whether a step takes pixels of float32, into pixels, and absorbed no other."""
    step = plan.steps[index]
    values = (*step.bottoms, *step.tops)
    if index not in types.in_pixels or types.in_step(index) != np.float32 or step.absorbed:
        return False
    single = step.absorbed_by is None and len(values) == 2
    return single and types.pixels.issuperset(values)
