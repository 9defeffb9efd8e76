"""Devices that compute nothing: one counts the memory that layers ask for, one asks which kernels
they would run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from protonet.blob import Array, Param, Shape
from protonet.device import Device
from protonet.kernels.random_stream import RandomStream
from protonet.layers import Layer
from protonet.layers.preparing import prepared
from protonet.precision import is_narrow


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


class _Asking(Meter):
    """A meter that stands for another device, and notes whether kernels for its 16 bits are
    there.
    """

    def __init__(self, device: Device) -> None:
        super().__init__()
        self.stands_for = device  # whose kernels are chosen; definitions are made
        self.narrow = True

    def chosen(self, dtype: Any, tuned: bool) -> None:
        """Note a kernel of 16 bits that is computed as it is defined."""
        self.narrow &= tuned or not is_narrow(dtype)


def hollow(shape: Shape, dtype: Any = np.float32) -> Array:
    """An array whose elements are all one number in memory."""
    return np.lib.stride_tricks.as_strided(np.zeros(1, dtype), shape, (0,) * len(shape))


def build_on(
    meter: Meter,
    layer: Layer,
    shapes: Sequence[Shape],
    dtype: Any,
    *,
    gradients: bool = True,
    fused: Sequence[Layer] = (),
) -> None:
    """Build a copy of a layer where nothing takes memory. Layers that bring data are not built:
    they would begin to read; nor those of a user's own code.
    """
    if not shapes or layer.traits.dynamic:
        return
    random = RandomStream(meter, 0, layer.name)
    made = prepared(layer, meter, dtype, random, gradients=gradients, fused=fused)
    for place, weight in enumerate(layer.declare(shapes)):
        data, diff = hollow(weight.shape), hollow(weight.shape) if gradients else None
        made.params.append(Param(f"{layer.name}/{place}", data, diff))
    made.build(shapes)


def takes_narrow(
    layer: Layer, shapes: Sequence[Shape], device: Device, dtype: Any, fused: Sequence[Layer] = ()
) -> bool:
    """Whether the passes of a layer take values of ``dtype``, a type of 16 bits, on a device: all
    arithmetic is done by kernels that are made for it. On a CPU none are.
    """
    if device.is_cpu or not layer.traits.in_kernels:
        return False
    asking = _Asking(device)
    build_on(asking, layer, shapes, dtype, fused=fused)
    return asking.narrow
