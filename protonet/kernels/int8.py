"""Convolution and products of 8-bit integers, and how values are coded in bytes.

A value x has the code rint(x / scale) + zero, within 0 to 255. Weights are signed, with a scale for
each output and no zero. Sums of products are exact in 32 bits.

A blob of codes lies in the memory of the float32 blob that it stands for: the channels of a pixel
adjacent, filled up to a multiple of 4, one image behind the other.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels import native
from protonet.kernels.kernel import Condition, Kernel
from protonet.kernels.windows import MODEST, Windows

LARGEST = 255
_LARGEST_WEIGHT = 127
MOST_PRODUCTS = 2**16
"""Sums of so many products of a code and a weight are below 2^31."""


class Coding(NamedTuple):
    """Scale and zero of codes."""

    scale: float
    zero: int

    @classmethod
    def of(cls, low: float, high: float) -> Coding:
        """For values from ``low`` to ``high``; 0 has a code of its own."""
        low, high = min(low, 0.0), max(high, 0.0)
        scale = float(np.float32((high - low) / LARGEST))
        if not scale:
            return cls(1.0, 0)
        return cls(scale, min(LARGEST, max(0, round(-low / scale))))

    @property
    def inverse(self) -> float:
        """1 / scale in float32, by which values are multiplied."""
        return float(np.float32(1) / np.float32(self.scale))

    def encode(self, xp: Any, x: Array) -> Array:
        """The codes of an array; NaN becomes 0."""
        scaled = xp.fmax(x * np.float32(self.inverse), np.float32(-self.zero))
        scaled = xp.minimum(scaled, np.float32(LARGEST - self.zero))
        return (xp.rint(scaled) + self.zero).astype(xp.uint8)

    def decode(self, xp: Any, codes: Array) -> Array:
        """The values of codes, in float32."""
        return (codes.astype(xp.int32) - self.zero).astype(xp.float32) * np.float32(self.scale)


def quantized_weights(w: np.ndarray, channels: int) -> tuple[np.ndarray, np.ndarray]:
    """int8 codes of weights with outputs in front, and a scale for each output (1 for only 0).

    Some processors add products of channels 2i and 2i + 1 in 16 bits, which are to hold 255 times
    the sum of their codes: so the largest sum of two decides on a scale as the largest weight does.

    Args:
        w: outputs x channels x taps, in any shape.
        channels: of a group.
    """
    flat = w.reshape(len(w), channels, -1).astype(np.float32)
    paired = flat[:, : channels // 2 * 2]
    largest = np.maximum(
        np.abs(flat).max(axis=(1, 2), initial=0),
        np.abs(paired[:, ::2] + paired[:, 1::2]).max(axis=(1, 2), initial=0),
    )
    scales = largest / np.float32(_LARGEST_WEIGHT)
    scales[scales == 0] = 1
    codes = np.rint(flat / scales[:, None, None]).clip(-_LARGEST_WEIGHT, _LARGEST_WEIGHT)
    return codes.astype(np.int8).reshape(w.shape), scales.astype(np.float32)


def padded(channels: int) -> int:
    """The bytes of a pixel."""
    return -(-channels // 4) * 4


def codes_in(array: Array, items: int, channels: int) -> Array:
    """The codes in the memory of a float32 blob: items x pixels x bytes of a pixel."""
    pixels = array.size // max(items * channels, 1)
    bytes_ = array.reshape(-1).view("uint8")[: items * pixels * padded(channels)]
    found: Array = bytes_.reshape(items, pixels, padded(channels))
    return found


class Int8Convolve(Kernel):
    """y = factor (W * codes(x)) + shift, with 8-bit W; ``prepare`` gives W, factor and shift.

    Args:
        windows: the windows over one plane; a product of matrices has windows of one pixel.
        items: images in a batch.
        channels: of an image.
        outputs: channels of the result.
        group: the number of groups.
        source: the codes of x.
        target: the codes of y, if y is to hold codes.
        takes_codes: whether x holds codes.
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
        source: Coding,
        target: Coding | None = None,
        takes_codes: bool = False,
    ) -> None:
        super().__init__(device, dtype)
        self.windows, self.items, self.channels = windows, items, channels
        self.outputs, self.group = outputs, group
        self.source, self.target, self.takes_codes = source, target, takes_codes

    def prepare(self, w: np.ndarray, factor: np.ndarray, shift: np.ndarray) -> None:
        """Take int8 weights, and factor and shift of each output in float32."""
        depth = w.size // max(self.outputs, 1)
        self._w = self.xp.asarray(w.reshape(self.group, -1, depth), self.xp.float64)
        self._factor, self._shift = self.xp.asarray(factor), self.xp.asarray(shift)

    def forward(self, x: Array, y: Array, rectify: bool) -> None:
        """Write the convolution, or its codes, to ``y``; with ``rectify`` negative values as 0."""
        xp, kernel = self.xp, self.windows.kernel
        places = math.prod(self.windows.outputs)
        columns = xp.zeros((self.channels, *kernel, *self.windows.outputs), np.float64)
        for item, image in enumerate(self._images(x)):
            # float64 holds the sums exactly, and BLAS adds them; codes of padding are 0 here
            self.windows.im2col(image.reshape(self.channels, *self.windows.inputs), columns)
            sums = xp.matmul(self._w, columns.reshape(self.group, -1, places))
            sums = sums.reshape(self.outputs, places).astype(xp.float32)
            found = sums * self._factor[:, None] + self._shift[:, None]
            if rectify:
                found = xp.maximum(found, np.float32(0))
            self._put(found, y, item)

    def _images(self, x: Array) -> Array:
        """Codes less their zero, as items x channels x pixels."""
        xp = self.xp
        if self.takes_codes:
            codes = codes_in(x, self.items, self.channels)[:, :, : self.channels].swapaxes(1, 2)
        else:
            codes = self.source.encode(xp, x.reshape(self.items, self.channels, -1))
        found: Array = xp.ascontiguousarray(codes.astype(np.float64) - self.source.zero)
        return found

    def _put(self, found: Array, y: Array, item: int) -> None:
        if self.target is None:
            y.reshape(self.items, self.outputs, -1)[item] = found
            return
        codes = codes_in(y, self.items, self.outputs)[item]
        codes[:, : self.outputs] = self.target.encode(self.xp, found).T


SUPPORTED = Condition(
    "the processor has AVX512_VNNI, or AVX2 without AVX-512", lambda *_, **__: native.has("int8")
)


class NativeInt8Convolve(Int8Convolve, processor="native"):
    """Tiles of AMX, AVX512_VNNI or AVX2 over images of pixels of bytes; depthwise, vectors of
    channels over the rows of a window.
    """

    requires = (
        SUPPORTED,
        Condition("one or two axes", lambda windows, *_, **__: len(windows.inputs) <= 2),
        MODEST,
    )

    @cached_property
    def _native(self) -> Any:
        module, w = native.load(), self.windows.effective.in_two_axes
        target = self.target or Coding(1.0, 0)
        depthwise = self.group == self.channels == self.outputs > 1
        kind = module.Int8Depthwise if depthwise else module.Int8Convolution
        return kind(
            self.items,
            self.channels,
            w.inputs,
            self.outputs,
            self.group,
            w.kernel,
            w.stride,
            w.pad,
            w.dilation,
            w.outputs,
            (self.source.inverse, self.source.zero),
            (target.inverse, target.zero),
            self.takes_codes,
            self.target is not None,
        )

    def prepare(self, w: np.ndarray, factor: np.ndarray, shift: np.ndarray) -> None:
        self._native.prepare(w, factor, shift)

    def forward(self, x: Array, y: Array, rectify: bool) -> None:
        self._native.forward(x, y, rectify)
