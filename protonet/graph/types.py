"""Mixed precision: which values of a plan are stored in 16 bits, and which layers compute on them
directly.

Products with weights produce 16-bit values (``LowPrecision.ALWAYS``), and layers that follow the
type of their bottoms propagate them; images, labels, losses, indices and boxes stay in float32. A
layer without 16-bit kernels computes on float32 casts, which live as long as its pass; on a CPU
that is every layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from protonet.device import Device
from protonet.graph.names import Value
from protonet.graph.plan import Plan, Step
from protonet.layers.base import LowPrecision
from protonet.precision import is_low_precision

if TYPE_CHECKING:
    from protonet.kernels.int8 import Coding

Type = np.dtype[Any]


@dataclass(frozen=True)
class Types:
    """``values`` are the types of values and their gradients that are not ``wide``; ``steps`` the
    types that steps compute in. Values in ``codes`` hold 8-bit codes, in the memory of floats, and
    the steps in ``integers`` take them. Values in ``pixels`` hold pixels (``graph.pixels``), and
    ``in_pixels`` are the bottoms and tops of steps that must be pixels. Of the last step of a
    chain that runs at once, ``chains`` has all (``graph.separable``).
    """

    wide: Type
    values: dict[Value, Type]
    steps: dict[int, Type]
    codes: Mapping[Value, Coding] = field(default_factory=dict)
    integers: frozenset[int] = frozenset()
    pixels: frozenset[Value] = frozenset()
    in_pixels: Mapping[int, frozenset[Value]] = field(default_factory=dict)
    chains: Mapping[int, tuple[int, ...]] = field(default_factory=dict)

    @property
    def early(self) -> dict[int, int]:
        """Of the steps of chains but the last, the one that runs them all."""
        return {at: last for last, chain in self.chains.items() for at in chain[:-1]}

    def of(self, value: Value) -> Type:
        """The type of a value and of its gradient."""
        return self.values.get(value, self.wide)

    def in_step(self, index: int) -> Type:
        """The type that a step computes in."""
        return self.steps.get(index, self.wide)

    def needs_cast(self, index: int, value: Value) -> bool:
        """Whether a step needs a value cast to another type, or form."""
        if value in self.codes and index not in self.integers:
            return True
        if (value in self.pixels) != self.takes_pixels(index, value):
            return True
        return self.of(value) != self.in_step(index)

    def takes_pixels(self, index: int, value: Value) -> bool:
        """Whether a step takes a bottom, or writes a top, as pixels."""
        return index in self.in_pixels and value in self.in_pixels[index]

    def bytes_of(self, value: Value) -> int:
        """The size of a value; its gradient has the same."""
        return value.count * self.of(value).itemsize


def all_of(dtype: Any) -> Types:
    """Every value of one type."""
    return Types(np.dtype(dtype), {}, {})


FLOATS = all_of(np.float32)
"""Every value in float32."""


def choose_types(plan: Plan, device: Device, wide: Any, precision: Any) -> Types:
    """Choose ``precision`` where it is numerically safe, and ``wide`` elsewhere.

    The plan must be fused already: an absorbed layer computes in the type of the layer that runs
    it.
    """
    wide, precision = np.dtype(wide), np.dtype(precision)
    if plan.codes:
        integers = frozenset(at for at, step in enumerate(plan.steps) if step.in_integers)
        return Types(wide, {}, {}, plan.codes, integers)
    if not is_low_precision(precision):
        return all_of(wide)
    from protonet.graph.meta_device import supports_low_precision  # for 16 bits only

    kept = _float32_values(plan)
    values: dict[Value, Type] = {}
    steps: dict[int, Type] = {}
    for index, step in enumerate(plan.steps):
        for place, top in enumerate(step.tops):
            if top not in kept and _top_is_low_precision(step, place, values):
                values[top] = precision
        if step.absorbed_by is not None:
            computed = step.absorbed_by in steps
        else:
            makes = _tops_are_low_precision(step, values)
            computed = makes and supports_low_precision(
                step.layer, step.shapes, device, precision, plan.absorbed_layers(step)
            )
        if computed:
            steps[index] = precision
    return Types(wide, values, steps)


def _top_is_low_precision(step: Step, place: int, values: dict[Value, Type]) -> bool:
    """Whether a top is stored in 16 bits."""
    if step.is_view:
        return step.beneath(place) in values  # the same memory
    if step.layer.traits.low_precision is LowPrecision.ALWAYS:
        return True
    every = bool(step.bottoms) and all(bottom in values for bottom in step.bottoms)
    return step.layer.traits.low_precision is LowPrecision.WITH_BOTTOMS and every


def _float32_values(plan: Plan) -> set[Value]:
    """Values that stay in float32 whatever produces them: losses, and values that shapes depend
    on.
    """
    kept = {value for value in plan.values if value.loss_weight}
    for step in reversed(plan.steps):
        decides = step.dynamic
        shares = step.is_view and kept.intersection(step.tops)
        if decides or shares:
            kept.update(step.bottoms)
    return kept


def _tops_are_low_precision(step: Step, values: dict[Value, Type]) -> bool:
    """Whether all tops are of 16 bits; if one is not, the step computes in float32."""
    return bool(step.tops) and all(top in values for top in step.tops)
