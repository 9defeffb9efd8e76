"""Pooling, sums and concatenation of 8-bit codes, and their values (``kernels.int8``)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels import native
from protonet.kernels.int8 import LARGEST, SUPPORTED, Coding, codes_in
from protonet.kernels.kernel import Kernel
from protonet.kernels.windows import Windows

_MULTIPLIER = 2**15 - 1
_SHIFT = 14


class Int8MaxPool(Kernel):
    """The largest code of each window, over planes.

    Args:
        windows: over a plane; each has a place inside it, and no dilation.
        items: images in a batch.
        channels: of an image.
    """

    def __init__(
        self, device: Device, dtype: Any, windows: Windows, items: int, channels: int
    ) -> None:
        super().__init__(device, dtype)
        self.windows, self.items, self.channels = windows, items, channels

    def forward(self, x: Array, y: Array) -> None:
        """Write the codes of the maxima to ``y``."""
        codes = _planes(x, self.items, self.channels, self.windows.inputs)
        made = _planes(y, self.items, self.channels, self.windows.outputs)
        made[...] = 0
        for _, outs, ins in self.windows.places:
            part = made[(slice(None), *outs)]
            self.xp.maximum(part, codes[(slice(None), *ins)], out=part)


class NativeInt8MaxPool(Int8MaxPool, processor="native"):
    """Vectors of channels, as bytes."""

    requires = (SUPPORTED,)

    @cached_property
    def _native(self) -> Any:
        return _pool(self.windows, self.items, self.channels)

    def forward(self, x: Array, y: Array) -> None:
        self._native.max(x, y)


class Int8AveragePool(Kernel):
    """The mean of each window, in which padding counts as 0 up to the padded border.

    Args:
        windows, items, channels: as of ``Int8MaxPool``.
        source: the codes of x.
        target: the codes of y; None for floats.
    """

    def __init__(
        self,
        device: Device,
        dtype: Any,
        windows: Windows,
        items: int,
        channels: int,
        source: Coding,
        target: Coding | None = None,
    ) -> None:
        super().__init__(device, dtype)
        self.windows, self.items, self.channels = windows, items, channels
        self.source, self.target = source, target
        sizes, met = [], []
        for i, k, s, p, out in zip(
            windows.inputs,
            windows.kernel,
            windows.stride,
            windows.pad,
            windows.outputs,
            strict=True,
        ):
            start = np.arange(out) * s - p
            sizes.append(np.minimum(start + k, i + p) - start)
            met.append(np.minimum(start + k, i) - np.maximum(start, 0))
        self.offset = (np.outer(*met) * source.zero).astype(np.int32)
        self.factor = (source.scale / np.outer(*sizes)).astype(np.float32)

    def forward(self, x: Array, y: Array) -> None:
        """Write the means, or their codes, to ``y``."""
        xp, w = self.xp, self.windows
        codes = _planes(x, self.items, self.channels, w.inputs)
        sums = xp.zeros((self.items, *w.outputs, self.channels), np.int32)
        for _, outs, ins in w.places:
            sums[(slice(None), *outs)] += codes[(slice(None), *ins)]
        exact = sums - xp.asarray(self.offset)[..., None]
        means = exact.astype(np.float32) * xp.asarray(self.factor)[..., None]
        if self.target is None:
            y[...] = xp.moveaxis(means, -1, 1)
        else:
            made = _planes(y, self.items, self.channels, w.outputs)
            made[...] = self.target.encode(xp, means)


class NativeInt8AveragePool(Int8AveragePool, processor="native"):
    """Vectors of channels, in 32 bits."""

    requires = (SUPPORTED,)

    @cached_property
    def _native(self) -> Any:
        return _pool(self.windows, self.items, self.channels)

    def forward(self, x: Array, y: Array) -> None:
        target = self.target or Coding(1.0, 0)
        how = (target.inverse, target.zero), self.target is not None
        self._native.average(x, self.offset, self.factor, *how, y)


class Multipliers(NamedTuple):
    """Of a sum of codes: (sum of times x code + bias) / 2^shift, rounded down."""

    times: tuple[int, ...]
    bias: int
    shift: int

    @classmethod
    def of(cls, sources: Sequence[Coding], factors: Sequence[float], target: Coding) -> Multipliers:
        """For the sum of factors times values; it rounds to the nearest, halves up."""
        exact = [f * s.scale / target.scale for f, s in zip(factors, sources, strict=True)]
        most = max(map(abs, exact), default=0.0)
        shift = _SHIFT
        while shift and most * 2**shift > _MULTIPLIER:
            shift -= 1
        bound = _MULTIPLIER
        times = tuple(max(-bound, min(bound, round(each * 2**shift))) for each in exact)
        zeros = sum(t * s.zero for t, s in zip(times, sources, strict=True))
        return cls(times, (target.zero << shift) - zeros + (1 << shift >> 1), shift)


class Int8Sum(Kernel):
    """The codes of the sum of factors times values, computed in integers.

    Factors beyond 2^15 times the scale of the sum are bounded: all but 0 is then beyond its range.

    Args:
        items: images in a batch.
        channels, pixels: of an image.
        sources: the codes of the blobs.
        factors: one for each.
        target: the codes of the sum.
    """

    def __init__(
        self,
        device: Device,
        dtype: Any,
        items: int,
        channels: int,
        pixels: int,
        sources: Sequence[Coding],
        factors: Sequence[float],
        target: Coding,
    ) -> None:
        super().__init__(device, dtype)
        self.items, self.channels, self.pixels = items, channels, pixels
        self.target = target
        self.multipliers = Multipliers.of(sources, factors, target)

    def forward(self, xs: Sequence[Array], y: Array, rectify: bool) -> None:
        """Write the codes of the sum to ``y``; with ``rectify`` negative values as 0."""
        times, bias, shift = self.multipliers
        total = bias
        for t, x in zip(times, xs, strict=True):
            total = total + t * codes_in(x, self.items, self.channels).astype(np.int64)
        low = self.target.zero if rectify else 0
        codes_in(y, self.items, self.channels)[...] = self.xp.clip(total >> shift, low, LARGEST)


class NativeInt8Sum(Int8Sum, processor="native"):
    """Products of 16 bits, added in pairs."""

    requires = (SUPPORTED,)

    @cached_property
    def _how(self) -> tuple[Any, ...]:
        times, bias, shift = self.multipliers
        size = codes_size(self.items, self.channels, self.pixels)
        return native.load().add_codes, list(times), bias, shift, size

    def forward(self, xs: Sequence[Array], y: Array, rectify: bool) -> None:
        add, times, bias, shift, size = self._how
        add(xs, times, bias, shift, self.target.zero if rectify else 0, size, y)


class Int8Join(Kernel):
    """Codes of several blobs of one coding, their channels one behind the other.

    Args:
        items: images in a batch.
        channels: of each blob.
        pixels: of an image.
    """

    moves = True

    def __init__(
        self, device: Device, dtype: Any, items: int, channels: Sequence[int], pixels: int
    ) -> None:
        super().__init__(device, dtype)
        self.items, self.channels, self.pixels = items, list(channels), pixels

    def forward(self, xs: Sequence[Array], y: Array) -> None:
        """Write the codes of all to ``y``."""
        made, first = codes_in(y, self.items, sum(self.channels)), 0
        for x, count in zip(xs, self.channels, strict=True):
            codes = codes_in(x, self.items, count)
            made[:, :, first : first + count] = codes[:, :, :count]
            first += count


class NativeInt8Join(Int8Join, processor="native"):
    """Vectors of channels, as bytes."""

    requires = (SUPPORTED,)

    def forward(self, xs: Sequence[Array], y: Array) -> None:
        native.load().join_codes(xs, self.channels, self.items * self.pixels, y)


class Int8Decode(Kernel):
    """The values of codes, as planes.

    Args:
        items: images in a batch.
        channels, pixels: of an image.
        source: the codes of x.
    """

    def __init__(
        self, device: Device, dtype: Any, items: int, channels: int, pixels: int, source: Coding
    ) -> None:
        super().__init__(device, dtype)
        self.items, self.channels, self.pixels = items, channels, pixels
        self.source = source

    def forward(self, x: Array, y: Array) -> None:
        """Write the values of ``x`` to ``y``."""
        codes = codes_in(x, self.items, self.channels)[:, :, : self.channels]
        made = y.reshape(self.items, self.channels, -1)
        made[...] = self.source.decode(self.xp, codes).swapaxes(1, 2)


class NativeInt8Decode(Int8Decode, processor="native"):
    """Blocks of as many pixels and channels as a vector has, transposed."""

    requires = (SUPPORTED,)

    def forward(self, x: Array, y: Array) -> None:
        shape = self.items, self.channels, self.pixels
        native.load().decode_codes(x, *shape, self.source.scale, self.source.zero, y)


def codes_size(items: int, channels: int, pixels: int) -> int:
    """The bytes of a blob of codes."""
    return items * pixels * (-(-channels // 4) * 4)


def _planes(array: Array, items: int, channels: int, extents: Sequence[int]) -> Array:
    """The codes of a blob as items x height x width x channels."""
    codes = codes_in(array, items, channels)[:, :, :channels]
    found: Array = codes.reshape(items, *extents, channels)
    return found


def _pool(w: Windows, items: int, channels: int) -> Any:
    return native.load().Int8Pool(items, channels, w.inputs, w.kernel, w.stride, w.pad, w.outputs)
