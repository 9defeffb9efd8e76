"""Images as pixels: the channels of a place adjacent, as vectors and tiles of CPUs take them.

An array of pixels has the shape of the planes that it stands for, N x C x H x W, so that nothing
but these kernels sees the difference; its memory is that of N x H x W x C.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from protonet.blob import Array, Shape
from protonet.device import Device
from protonet.kernels import native
from protonet.kernels.convolution import DEPTHWISE, Convolve, Stage
from protonet.kernels.kernel import (
    OTHERWISE,
    STORED,
    Algorithm,
    Call,
    Condition,
    Kernel,
    select_algorithm,
)
from protonet.kernels.lrn import LRNAcrossChannels
from protonet.kernels.pooling import AveragePool, MaxPool, native_windows
from protonet.kernels.windows import MODEST, Windows

_TWO_AXES = Condition("two axes", lambda windows, *_, **__: len(windows.inputs) == 2)


def planes_of(pixels: Array) -> Array:
    """A view of pixels, N x C x H x W in name only, as planes. Pixels that are some channels of
    larger ones have strides that say so.
    """
    if not pixels.flags.c_contiguous:
        return pixels
    items, channels, height, width = pixels.shape
    planes: Array = pixels.reshape(items, height, width, channels).transpose(0, 3, 1, 2)
    return planes


def distance(pixels: Array) -> int:
    """How many values of an array of pixels are from one to the next."""
    if pixels.flags.c_contiguous:
        return int(pixels.shape[1])
    return int(pixels.strides[3] // pixels.itemsize)


def can_hold_pixels(shape: Shape | None) -> bool:
    """Whether pixels of a shape differ from planes: images of several channels and places."""
    return shape is not None and len(shape) == 4 and shape[1] > 1 and shape[2] * shape[3] > 1


def by_tiles(dtype: np.dtype[Any]) -> bool:
    """Whether products are of tiles of AMX."""
    return dtype.itemsize == 2 and native.has("amx_bf16")


class Rearrange(Kernel):
    """Copies between planes and pixels, of ``dtype``.

    Args:
        shape: N x C x H x W.
        wide: the planes are of float32, and the pixels of bfloat16.
    """

    def __init__(self, device: Device, dtype: Any, shape: Shape, wide: bool) -> None:
        super().__init__(device, dtype)
        self.shape, self.wide = shape, wide

    def to_pixels(self, planes: Array, pixels: Array) -> None:
        """Write ``planes`` to ``pixels``."""
        planes_of(pixels)[...] = planes

    def to_planes(self, pixels: Array, planes: Array) -> None:
        """Write ``pixels`` to ``planes``."""
        planes[...] = planes_of(pixels)


class NativeRearrange(Rearrange, processor="native"):
    """Squares of places and channels at a time."""

    dtypes = STORED
    instructions: ClassVar[Mapping[str, str]] = native.PIXELS

    def __init__(self, device: Device, dtype: Any, shape: Shape, wide: bool) -> None:
        super().__init__(device, dtype, shape, wide)
        module = native.of(self.dtype)
        self._in = module.narrow_to_pixels if wide else module.to_pixels
        self._out = module.widen_to_planes if wide else module.to_planes
        self._extents = (*shape[:2], math.prod(shape[2:]))

    def to_pixels(self, planes: Array, pixels: Array) -> None:
        self._in(planes, pixels, *self._extents)

    def to_planes(self, pixels: Array, planes: Array) -> None:
        self._out(pixels, planes, *self._extents)


class ConvolvePixels(Convolve):
    """The forward pass of ``Convolve`` with pixels as its result.

    Args:
        windows, items, channels, outputs, group: as of ``Convolve``.
        planes: whether images come as planes.
    """

    def __init__(
        self,
        device: Device,
        dtype: Any,
        windows: Windows,
        items: int,
        channels: int,
        outputs: int,
        group: int,
        planes: bool,
    ) -> None:
        super().__init__(device, dtype, windows, items, channels, outputs, group)
        self.channels, self.outputs, self.group = channels, outputs, group
        self.planes = planes
        self.shape = (windows, items, channels, outputs, group)

    def forward(
        self,
        x: Array,
        w: Array,
        bias: Array | None,
        y: Array,
        *,
        factor: Array | None = None,
        rectify: bool = False,
        addend: Array | None = None,
    ) -> None:
        args = (self.windows, self.items, self.channels, self.outputs, self.group)
        floats = np.empty(y.shape, self.real)
        images = np.asarray(x if self.planes else planes_of(x), self.real, order="C")
        convolve = Convolve(self.device, self.real, *args)
        more = None if addend is None else planes_of(addend).astype(self.real)
        convolve.forward(images, w, bias, floats, factor=factor, rectify=rectify, addend=more)
        planes_of(y)[...] = floats


class _Products:
    """Products of matrices, of windows where they lie; of bfloat16 by AMX or AVX512_BF16. Of
    float32 by Winograd where that is fewer.
    """


class _Channels:
    """Vectors of channels."""


_ALGORITHMS = (
    Algorithm(
        _Channels,
        Condition(
            "every channel is a group of its own, with one output",
            lambda channels, outputs, group, planes: (
                DEPTHWISE.holds(channels, group) and outputs == channels and not planes
            ),
        ),
    ),
    Algorithm(_Products, OTHERWISE),
)


class NativeConvolvePixels(ConvolvePixels, processor="native"):
    """In two axes, with weights that are packed once where they do not change."""

    dtypes = STORED
    instructions: ClassVar[Mapping[str, str]] = native.PIXELS
    requires = (_TWO_AXES, MODEST)
    algorithms = _ALGORITHMS

    def __init__(self, device: Device, dtype: Any, *args: Any) -> None:
        super().__init__(device, dtype, *args)
        counts = (self.channels, self.outputs, self.group, self.planes)
        self._by_channels = select_algorithm(self.algorithms, *counts) is _Channels

    @cached_property
    def _native(self) -> Any:
        module, w = native.of(self.dtype), self.windows.effective
        geometry = (w.kernel, w.stride, w.pad, w.dilation, w.outputs)
        if self._by_channels:
            return module.PixelDepthwise(self.items, self.channels, w.inputs, *geometry)
        sizes = (self.items, self.channels, w.inputs, self.outputs, self.group)
        made = module.PixelConvolution if by_tiles(self.dtype) else module.PixelVectors
        return made(*sizes, *geometry, self.planes)

    @cached_property
    def _form(self) -> str:
        if self._by_channels:
            return f"vectors of channels {self._weight}"
        return f"{self._native.packed_form()} {self._weight}"

    @property
    def _packed_type(self) -> np.dtype[Any]:
        return np.dtype(np.float32) if self._by_channels else super()._packed_type

    def forward(
        self,
        x: Array,
        w: Array,
        bias: Array | None,
        y: Array,
        *,
        factor: Array | None = None,
        rectify: bool = False,
        addend: Array | None = None,
    ) -> None:
        function, arguments = self._call(x, Stage(w, factor, bias, rectify), y, addend)
        function(*arguments)
        if self._by_channels and addend is not None:
            self.add(y, addend, rectify=rectify)

    def call(self, x: Array, stage: Stage, y: Array, addend: Array | None = None) -> Call | None:
        whole = self.keeps_weights and not (self._by_channels and addend is not None)
        return self._call(x, stage, y, addend) if whole else None

    def _call(self, x: Array, stage: Stage, y: Array, addend: Array | None) -> Call:
        w, factor, shift, rectify = stage
        given = (x, self.packed(w), factor, shift)
        if self._by_channels:
            return self._native.forward, (*given, y, rectify and addend is None)
        return self._native.forward, (*given, addend, y, distance(y), rectify)


class MaxPoolPixels(MaxPool):
    """``MaxPool`` over pixels, without the places of maxima."""

    def forward(self, x: Array, y: Array, places: Array | None) -> None:
        pool = MaxPool(self.device, self.dtype, self.windows, *y.shape[:2])
        planes = np.empty_like(y)
        pool.forward(np.ascontiguousarray(planes_of(x)), planes, None)
        planes_of(y)[...] = planes


class AveragePoolPixels(AveragePool):
    """``AveragePool`` over pixels."""

    def forward(self, x: Array, y: Array) -> None:
        pool = AveragePool(self.device, self.real, self.windows, *y.shape[:2])
        planes = np.empty(y.shape, self.real)
        pool.forward(np.asarray(planes_of(x), self.real, order="C"), planes)
        planes_of(y)[...] = planes


class NativeMaxPoolPixels(MaxPoolPixels, processor="native"):
    """Vectors of channels."""

    dtypes = STORED
    instructions: ClassVar[Mapping[str, str]] = native.PIXELS
    requires = (MODEST,)

    @cached_property
    def _native(self) -> Any:
        return native.of(self.dtype).PixelPool(*_geometry(self))

    def forward(self, x: Array, y: Array, places: Array | None) -> None:
        self._native.greatest(x, y)


class NativeAveragePoolPixels(AveragePoolPixels, processor="native"):
    """Vectors of channels."""

    dtypes = STORED
    instructions: ClassVar[Mapping[str, str]] = native.PIXELS
    requires = (MODEST,)

    @cached_property
    def _native(self) -> Any:
        return native.of(self.dtype).PixelPool(*_geometry(self))

    def forward(self, x: Array, y: Array) -> None:
        self._native.mean(x, y)


def _geometry(kernel: MaxPool | AveragePool) -> tuple[Any, ...]:
    windows = kernel.windows.effective
    inputs, *geometry, outputs = native_windows(windows)
    return (*kernel.shape[:2], inputs, *geometry, windows.dilation, outputs)


class LRNAcrossPixels(LRNAcrossChannels):
    """``LRNAcrossChannels`` over pixels, in nets without gradients."""

    def forward(self, x: Array, y: Array) -> None:
        args = (self.shape, self.size, self.alpha, self.beta, self.k)
        planes = np.empty(self.shape, self.real)
        normalize = LRNAcrossChannels(self.device, self.real, *args)
        normalize.forward(np.asarray(planes_of(x), self.real, order="C"), planes)
        planes_of(y)[...] = planes


class NativeLRNAcrossPixels(LRNAcrossPixels, processor="native"):
    """Vectors of channels, with powers as exact as the type."""

    dtypes = STORED
    instructions: ClassVar[Mapping[str, str]] = native.PIXELS

    def forward(self, x: Array, y: Array) -> None:
        formula = (self.size, self.alpha, self.beta, self.k)
        native.of(self.dtype).across_pixels(x, y, self.shape[1], *formula)
