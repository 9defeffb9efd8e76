"""Pooling over the two spatial axes of N x C x H x W."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels import native
from protonet.kernels.kernel import STORED, Kernel
from protonet.kernels.windows import ADJACENT, MODEST, Windows

LOWEST = -float(np.finfo(np.float32).max)
"""The initial maximum: the result of a window with nothing greater, without an argmax."""


class Pool(Kernel):
    """Shared base of poolings.

    Args:
        windows: the windows over one plane; the last of a row may reach over the end.
        items: images of a batch.
        channels: of an image.
    """

    def __init__(
        self, device: Device, dtype: Any, windows: Windows, items: int, channels: int
    ) -> None:
        super().__init__(device, dtype)
        self.windows = windows
        self._top = (items, channels, *windows.outputs)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the result."""
        return self._top

    def starts(self) -> list[np.ndarray]:
        """Where windows begin along each axis."""
        w = self.windows
        return [
            np.arange(out) * s - p for out, s, p in zip(w.outputs, w.stride, w.pad, strict=True)
        ]

    def corner(self) -> Array:
        """The place at which each window begins, as flat indices of a plane."""
        rows, columns = self.starts()
        corner = self.scratch(self.windows.outputs, np.int32)
        host = rows[:, None] * self.windows.inputs[1] + columns
        self.device.put(host.astype(np.int32), corner)
        return corner

    def each(self) -> list[tuple[int, tuple[slice, ...], tuple[slice, ...]]]:
        """For each place of the kernel: its offset in a plane, and the slices of y and x."""
        whole, (down, across) = (slice(None), slice(None)), self.windows.dilation
        row = self.windows.inputs[1] * down
        return [
            (k[0] * row + k[1] * across, (*whole, *outs), (*whole, *ins))
            for k, outs, ins in self.windows.places
        ]

    def add_up(self, x: Array, y: Array) -> None:
        """Write the sums of the windows of ``x`` to ``y``."""
        y.fill(0)
        for _, outs, ins in self.each():
            part = y[outs]
            self.xp.add(part, x[ins], out=part)


class PickPool(Pool):
    """Base of poolings that select one value of each window, and store its place."""

    def __init__(
        self, device: Device, dtype: Any, windows: Windows, items: int, channels: int
    ) -> None:
        super().__init__(device, dtype, windows, items, channels)
        self._hits: Array | None = None

    def prepare(self) -> Array:
        """Allocate the definition's scratch; returns the mask of selected values."""
        if self._hits is None:
            self._hits = self.scratch(self._top, bool)
            self._values = self.scratch(self._top)
            self._corner = self.corner()
            self._place = self.scratch(self.windows.outputs, np.int32)
        return self._hits

    def place(self, offset: int, outs: tuple[slice, ...]) -> Array:
        """The places that are ``offset`` from where windows begin."""
        place = self._place[outs[2:]]
        self.xp.add(self._corner[outs[2:]], offset, out=place)
        return place

    def backward(self, dy: Array, places: Array, dx: Array) -> None:
        """Write to ``dx`` the gradients of the windows that selected each place."""
        xp, all_hits = self.xp, self.prepare()
        dx.fill(0)
        for offset, outs, ins in self.each():
            part, value, hits = dx[ins], self._values[outs], all_hits[outs]
            xp.equal(places[outs], self.place(offset, outs), out=hits)
            value.fill(0)
            xp.copyto(value, dy[outs], where=hits)
            xp.add(part, value, out=part)


class MaxPool(PickPool):
    """The greatest value of each window; of equal ones the first."""

    def forward(self, x: Array, y: Array, places: Array | None) -> None:
        """Write the maxima to ``y``, and where they were in their planes (-1: nowhere, as of
        windows of NaN) to ``places``, int32 in the shape of ``y``.
        """
        xp, all_hits = self.xp, self.prepare()
        y.fill(LOWEST)
        if places is not None:
            places.fill(-1)
        for offset, outs, ins in self.each():
            hits = all_hits[outs]
            xp.greater(x[ins], y[outs], out=hits)
            xp.copyto(y[outs], x[ins], where=hits)
            if places is not None:
                xp.copyto(places[outs], self.place(offset, outs), where=hits)


class NativeMaxPool(MaxPool, processor="native"):
    """Vectors of adjacent windows."""

    dtypes = STORED

    requires = (MODEST, ADJACENT)

    @cached_property
    def _native(self) -> Any:
        planes = self._top[0] * self._top[1]
        return native.of(self.dtype).MaxPool(planes, *native_windows(self.windows.effective))

    def forward(self, x: Array, y: Array, places: Array | None) -> None:
        self._native.forward(x, y, places)

    def backward(self, dy: Array, places: Array, dx: Array) -> None:
        self._native.backward(dy, places, dx)


class AveragePool(Pool):
    """The mean of each window, in which padding counts as 0 up to the padded border."""

    def __init__(
        self, device: Device, dtype: Any, windows: Windows, items: int, channels: int
    ) -> None:
        super().__init__(device, dtype, windows, items, channels)
        self._shares: Array | None = None
        self._values: Array | None = None

    def shares(self) -> Array:
        """1 / size of each window."""
        if self._shares is None:
            w = self.windows
            sizes = [
                np.minimum(start + k, i + p) - start
                for start, k, i, p in zip(self.starts(), w.kernel, w.inputs, w.pad, strict=True)
            ]
            self._shares = self.scratch(w.outputs)
            # 0 / 0, as Caffe, where a window begins outside: with stride > kernel.
            with np.errstate(divide="ignore"):
                self.device.put(1.0 / np.outer(*sizes), self._shares)
        return self._shares

    def forward(self, x: Array, y: Array) -> None:
        """Write the means to ``y``."""
        self.add_up(x, y)
        self.xp.multiply(y, self.shares(), out=y)

    def backward(self, dy: Array, dx: Array) -> None:
        """Write to ``dx`` the sum of the shares of the windows that contain each place."""
        if self._values is None:
            self._values = self.scratch(self._top)
        self.xp.multiply(dy, self.shares(), out=self._values)
        dx.fill(0)
        for _, outs, ins in self.each():
            part = dx[ins]
            self.xp.add(part, self._values[outs], out=part)


class NativeAveragePool(AveragePool, processor="native"):
    """A depthwise convolution with weights of 1."""

    dtypes = STORED

    requires = (MODEST,)

    @cached_property
    def _native(self) -> Any:
        planes = self._top[0] * self._top[1]
        return native.of(self.dtype).AveragePool(planes, *native_windows(self.windows.effective))

    def forward(self, x: Array, y: Array) -> None:
        self._native.forward(x, y)

    def backward(self, dy: Array, dx: Array) -> None:
        self._native.backward(dy, dx)


class StochasticPool(PickPool):
    """A value of each window, sampled in proportion to the values, or the mean weighted by them."""

    def draw(self, x: Array, y: Array, places: Array, numbers: Array, sums: Array) -> None:
        """Write the value at which the running sum first reaches a random share of the sum.

        ``numbers`` are of [0, 1), ``sums`` is scratch; both in the shape of ``y``.
        """
        xp, all_hits = self.xp, self.prepare()
        self.add_up(x, sums)
        share = self._values
        xp.multiply(sums, numbers, out=share)
        sums.fill(0)
        places.fill(-1)
        y.fill(0)
        if not hasattr(self, "_free"):
            self._free = self.scratch(self._top, bool)
        for offset, outs, ins in self.each():
            part, hits = sums[outs], all_hits[outs]
            xp.add(part, x[ins], out=part)
            xp.greater_equal(part, share[outs], out=hits)
            xp.less(places[outs], 0, out=self._free[outs])
            xp.logical_and(hits, self._free[outs], out=hits)
            xp.copyto(y[outs], x[ins], where=hits)
            xp.copyto(places[outs], self.place(offset, outs), where=hits)

    def weigh(self, x: Array, y: Array, sums: Array) -> None:
        """Write sum x^2 / sum x; 0 where the sum is 0. ``sums`` is scratch in the shape of y."""
        xp = self.xp
        self.prepare()
        self.add_up(x, sums)
        y.fill(0)
        for _, outs, ins in self.each():
            part, square = y[outs], self._values[outs]
            xp.multiply(x[ins], x[ins], out=square)
            xp.add(part, square, out=part)
        xp.maximum(sums, float(np.finfo(np.float32).tiny), out=sums)
        xp.divide(y, sums, out=y)


def native_windows(w: Windows) -> tuple[tuple[int, ...], ...]:
    """The geometry in the argument order of the compiled kernels."""
    return w.inputs, w.kernel, w.stride, w.pad, w.outputs
