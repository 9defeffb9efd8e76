"""Devices without memory: one counts the bytes that layers allocate, one reports whether a device
has tuned kernels for a layer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from protonet.blob import Array, Param, Pixels, Shape
from protonet.device import Device
from protonet.kernels.random_stream import RandomStream
from protonet.layers import Layer
from protonet.layers.instantiation import instantiate
from protonet.precision import is_low_precision


class MetaDevice(Device):
    """A CPU whose arrays take no memory: all elements of one share a single number.

    ``allocated`` counts the bytes of the arrays; ``workspace`` and ``backward_workspace`` are the
    largest that any kernel needs.
    """

    def __init__(self) -> None:
        super().__init__()
        self.allocated = 0
        self.workspace = 0
        self.backward_workspace = 0

    def note_workspace(self, count: int, backward: int = 0) -> None:
        """Keep the maximum over all kernels."""
        self.workspace = max(self.workspace, count)
        self.backward_workspace = max(self.backward_workspace, backward)

    def empty(self, shape: Shape, dtype: Any = np.float32) -> Array:
        """An array without memory; its bytes are counted."""
        self.allocated += math.prod(shape) * np.dtype(dtype).itemsize
        return meta_array(shape, dtype)

    zeros = empty
    pinned = empty

    def put(self, host: np.ndarray, out: Array) -> None:
        """Do nothing: the array has no memory for values."""

    def put_lazily(self, make: Callable[[], np.ndarray], out: Array) -> None:
        """Do nothing, and do not call ``make``."""


class _KernelProbe(MetaDevice):
    """Reports whether another device has tuned kernels for every 16-bit operation of a layer."""

    def __init__(self, device: Device) -> None:
        super().__init__()
        self.kernel_target = device  # selects its kernels, but instantiates the NumPy definitions
        self.tuned_kernels = True

    def note_kernel(self, dtype: Any, tuned: bool) -> None:
        """Note a 16-bit kernel without a tuned version."""
        self.tuned_kernels &= tuned or not is_low_precision(dtype)


def meta_array(shape: Shape, dtype: Any = np.float32) -> Array:
    """An array whose elements all share one number in memory (strides of 0)."""
    return np.lib.stride_tricks.as_strided(np.zeros(1, dtype), shape, (0,) * len(shape))


def build_on(
    device: MetaDevice,
    layer: Layer,
    shapes: Sequence[Shape],
    dtype: Any,
    *,
    gradients: bool = True,
    fused: Sequence[Layer] = (),
    keep_weights: bool = False,
    pixels: Pixels = Pixels.NONE,
) -> Layer | None:
    """Build a copy of a layer on a meta device. Data layers are not built, since they would start
    to read; nor are dynamic layers, which may run a user's code: None.
    """
    if not shapes or layer.traits.dynamic:
        return None
    random = RandomStream(device, 0, layer.name)
    made = instantiate(layer, device, dtype, random, gradients=gradients, fused=fused)
    made.keeps_weights, made.pixels = keep_weights, pixels
    for place, weight in enumerate(layer.declare(shapes)):
        data, diff = meta_array(weight.shape), meta_array(weight.shape) if gradients else None
        made.params.append(Param(f"{layer.name}/{place}", data, diff))
    made.build(shapes)
    return made


def supports_low_precision(
    layer: Layer, shapes: Sequence[Shape], device: Device, dtype: Any, fused: Sequence[Layer] = ()
) -> bool:
    """Whether a layer can compute in ``dtype``, a 16-bit type, on a device: its traits say that
    kernels do all arithmetic, and each has a tuned version for the type.
    """
    if not layer.traits.in_kernels:
        return False
    probe = _KernelProbe(device)
    build_on(probe, layer, shapes, dtype, fused=fused)
    return probe.tuned_kernels
