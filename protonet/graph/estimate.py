"""How much memory a plan takes, found without taking any."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from protonet.blob import Array, Param, Shape
from protonet.device import Device, RandomStream
from protonet.errors import LayerError
from protonet.graph.fusion import fuse as fuse_layers
from protonet.graph.fusion import fusions, unfuse
from protonet.graph.memory import Layout, lay_out
from protonet.graph.plan import Plan, Step
from protonet.graph.types import choose_types

_FLOAT = 4


@dataclass(frozen=True)
class Estimate:
    """Bytes of a net.

    ``blobs`` are values and their gradients, ``scratch`` what layers ask for beside them,
    ``parameters`` and ``gradients`` the weights and what is learned of them, ``data`` images and
    batches that data layers keep in the host's memory. ``saved`` is what recomputation spares, and
    ``again`` names the layers that it runs twice. ``fused`` names layers that compute others, with
    those, in order.
    """

    blobs: int
    scratch: int
    parameters: int
    gradients: int
    data: int
    saved: int = 0
    again: tuple[str, ...] = ()
    fused: tuple[tuple[str, ...], ...] = ()

    @property
    def total(self) -> int:
        """All of it."""
        return self.blobs + self.scratch + self.parameters + self.gradients + self.data


def estimate(
    plan: Plan,
    *,
    gradients: bool,
    share: bool = True,
    recompute: bool = False,
    fuse: bool = True,
    precision: Any = np.float32,
) -> Estimate:
    """What a net of this plan would take, as ``Net`` builds it with these options. The plan is not
    fused afterwards.
    """
    if fuse:
        fuse_layers(plan, gradients=gradients, visible=not share)
    try:
        types = choose_types(plan, Meter(), np.float32, precision)
        layout = lay_out(plan, types, gradients=gradients, share=share, recompute=recompute)
        return _estimate(plan, layout, gradients)
    finally:
        unfuse(plan)


def _estimate(plan: Plan, layout: Layout, gradients: bool) -> Estimate:
    owned = [param for step in plan.steps for param in step.params if param.owner is None]
    parameters = _FLOAT * sum(param.weight.count for param in owned)
    return Estimate(
        layout.bytes,
        _scratch(plan, gradients),
        parameters,
        parameters if gradients else 0,
        sum(step.layer.kept_bytes() for step in plan.steps),
        layout.saved,
        tuple(
            plan.steps[i].name for i in sorted({i for each in layout.again.values() for i in each})
        ),
        tuple((name, *absorbed) for name, absorbed in fusions(plan)),
    )


class Meter(Device):
    """A CPU that counts what is asked of it and gives arrays that take no memory: every element
    of one is the same.
    """

    def __init__(self) -> None:
        super().__init__()
        self.counted = 0
        self.borrowed = 0
        self.learning = 0

    def borrows(self, count: int, learning: int = 0) -> None:
        """Keep the most that any kernel said."""
        self.borrowed = max(self.borrowed, count)
        self.learning = max(self.learning, learning)

    def empty(self, shape: Shape, dtype: Any = np.float32) -> Array:
        """An array in name only."""
        self.counted += math.prod(shape) * np.dtype(dtype).itemsize
        return hollow(shape, dtype)

    zeros = empty
    pinned = empty

    def put(self, host: np.ndarray, out: Array) -> None:
        """Nothing: there is no room for values."""

    def put_made(self, make: Callable[[], np.ndarray], out: Array) -> None:
        """Nothing, and nothing is made."""


def hollow(shape: Shape, dtype: Any = np.float32) -> Array:
    """An array whose elements are all one number in memory."""
    return np.lib.stride_tricks.as_strided(np.zeros(1, dtype), shape, (0,) * len(shape))


def _scratch(plan: Plan, gradients: bool) -> int:
    """The bytes that layers ask for when they are built."""
    meter = Meter()
    for step in plan.steps:
        _build(step, meter, gradients)
    return meter.counted + meter.borrowed + (meter.learning if gradients else 0)


def _build(step: Step, meter: Meter, gradients: bool) -> None:
    """Build a copy of a layer where nothing takes memory. Layers that bring data are not built:
    they would begin to read; nor those of a user's own code.
    """
    if not step.bottoms or step.layer.dynamic:
        return
    layer = copy.copy(step.layer)
    layer.attach(meter, np.float32, RandomStream(meter, 0, step.name))
    layer.params = [
        Param(
            param.name,
            hollow(param.weight.shape),
            hollow(param.weight.shape) if gradients else None,
            param.lr_mult,
        )
        for param in step.params
    ]
    layer.build(step.shapes)


def fitting_batch(plan: Plan, limit: int, needs: Callable[[], int]) -> int | None:
    """The largest batch, below the plan's own, with which ``needs()`` is at most ``limit``; 0 where
    none is, None where that cannot be told: batches differ, or shapes do not follow from them.
    """
    data = [value for step in plan.steps if not step.bottoms for value in step.tops]
    sizes = {value.shape[0] for value in data if value.shape}
    if len(sizes) != 1 or any(step.layer.dynamic for step in plan.steps):
        return None
    low, high = 0, sizes.pop()
    try:
        while high - low > 1:
            middle = (low + high) // 2
            with _at_batch(plan, middle):
                fits = needs() <= limit
            low, high = (middle, high) if fits else (low, middle)
    except LayerError:
        return None
    return low


@contextmanager
def _at_batch(plan: Plan, batch: int) -> Iterator[None]:
    """While this lasts, the plan has the shapes of another batch size."""
    before = [(value, value.shape) for value in plan.values]
    try:
        for step in plan.steps:
            if step.bottoms:
                tops = step.layer.infer(step.shapes)
            else:
                tops = [(batch, *value.shape[1:]) if value.shape else () for value in step.tops]
            for value, shape in zip(step.tops, tops, strict=True):
                value.shape = tuple(shape)
        yield
    finally:
        for value, old in before:
            value.shape = old
