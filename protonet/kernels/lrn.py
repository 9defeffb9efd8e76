"""Local response normalization of N x C x H x W: y = x s^-beta, with s from the squares around."""

from __future__ import annotations

from typing import Any

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels import native
from protonet.kernels.kernel import STORED, Kernel
from protonet.kernels.pooling import AveragePool
from protonet.kernels.windows import Windows


class LRNKernel(Kernel):
    """Shared base of both regions.

    Args:
        shape: of x.
        size: extent of the region, odd.
        alpha, beta, k: of the formula.
        keeps: whether ``backward`` will be called.
    """

    def __init__(
        self,
        device: Device,
        dtype: Any,
        shape: tuple[int, ...],
        size: int,
        alpha: float,
        beta: float,
        k: float,
        keeps: bool = True,
    ) -> None:
        super().__init__(device, dtype)
        self.shape, self.size = shape, size
        self.alpha, self.beta, self.k, self.keeps = alpha, beta, k, keeps
        self._scale: Array | None = None
        self._values: Array | None = None
        self._sums: Array | None = None

    def kept(self) -> Array:
        """s, from the forward pass for the backward one."""
        if self._scale is None:
            self._scale = self.scratch(self.shape, self.real)
        return self._scale

    def values(self) -> Array:
        """Scratch for summands."""
        if self._values is None:
            self._values = self.scratch(self.shape)
        return self._values

    def sums(self) -> Array:
        """Scratch for sums."""
        if self._sums is None:
            self._sums = self.scratch(self.shape)
        return self._sums


class LRNAcrossChannels(LRNKernel):
    """s = k + alpha / size * sum of x^2 over the ``size`` channels around."""

    def forward(self, x: Array, y: Array) -> None:
        """Write x s^-beta to ``y``."""
        xp, scale, values = self.xp, self.kept(), self.values()
        xp.multiply(x, x, out=values)
        self._add_up(values, scale)
        xp.multiply(scale, self.alpha / self.size, out=scale)
        xp.add(scale, self.k, out=scale)
        xp.power(scale, -self.beta, out=values)
        xp.multiply(x, values, out=y)

    def backward(self, dy: Array, x: Array, y: Array, dx: Array) -> None:
        """Write dy s^-beta - 2 alpha beta / size x sum(dy y / s) to ``dx``."""
        xp, scale, values, sums = self.xp, self.kept(), self.values(), self.sums()
        xp.multiply(dy, y, out=values)
        xp.divide(values, scale, out=values)
        self._add_up(values, sums)
        xp.multiply(sums, x, out=sums)
        xp.multiply(sums, 2 * self.alpha * self.beta / self.size, out=sums)
        xp.power(scale, -self.beta, out=values)
        xp.multiply(dy, values, out=dx)
        xp.subtract(dx, sums, out=dx)

    def _add_up(self, values: Array, sums: Array) -> None:
        """Write for each channel the sum of ``values`` over the channels around."""
        half, channels = self.size // 2, self.shape[1]
        sums.fill(0)
        for o in range(max(-half, 1 - channels), min(half, channels - 1) + 1):
            part = sums[:, max(0, -o) : channels - max(0, o)]
            self.xp.add(part, values[:, max(0, o) : channels - max(0, -o)], out=part)


class NativeLRNAcrossChannels(LRNAcrossChannels, processor="native"):
    """All channels of a few places at a time; only s is kept."""

    dtypes = STORED

    def __init__(self, device: Device, dtype: Any, *args: Any, **more: Any) -> None:
        super().__init__(device, dtype, *args, **more)
        items, channels, height, width = self.shape
        self._native = native.of(self.dtype).AcrossChannels(
            items, channels, height * width, self.size, self.alpha, self.beta, self.k
        )

    def forward(self, x: Array, y: Array) -> None:
        self._native.forward(x, y, self.kept() if self.keeps else None)

    def backward(self, dy: Array, x: Array, y: Array, dx: Array) -> None:
        self._native.backward(dy, x, y, self.kept(), dx)


class LRNWithinChannel(LRNKernel):
    """s = 1 + alpha m, with m the mean of x^2 over the size x size places around; k is not used."""

    def __init__(self, device: Device, dtype: Any, *args: Any, **more: Any) -> None:
        super().__init__(device, dtype, *args, **more)
        items, channels, *plane = self.shape
        kernel, pad = (self.size, self.size), (self.size // 2,) * 2
        windows = Windows(tuple(plane), kernel, (1, 1), pad, (1, 1), tuple(plane))
        self._mean = AveragePool.make(device, dtype, windows, items, channels)

    def forward(self, x: Array, y: Array) -> None:
        """Write x s^-beta to ``y``."""
        xp, scale, values = self.xp, self.kept(), self.values()
        xp.multiply(x, x, out=values)
        self._mean.forward(values, scale)
        xp.multiply(scale, self.alpha, out=scale)
        xp.add(scale, 1.0, out=scale)
        xp.power(scale, -self.beta, out=values)
        xp.multiply(x, values, out=y)

    def backward(self, dy: Array, x: Array, y: Array, dx: Array) -> None:
        """Write dy s^-beta - 2 alpha beta x mean^T(dy y / s) to ``dx``."""
        xp, scale, values, sums = self.xp, self.kept(), self.values(), self.sums()
        xp.multiply(dy, y, out=values)
        xp.divide(values, scale, out=values)
        self._mean.backward(values, sums)
        xp.multiply(sums, x, out=sums)
        xp.multiply(sums, 2 * self.alpha * self.beta, out=sums)
        xp.power(scale, -self.beta, out=values)
        xp.multiply(dy, values, out=dx)
        xp.subtract(dx, sums, out=dx)


class NativeLRNWithinChannel(LRNWithinChannel, processor="native"):
    """With the compiled pooling, and powers by square roots."""

    def forward(self, x: Array, y: Array) -> None:
        self.xp.multiply(x, x, out=y)
        self._mean.forward(y, self.kept())
        native.load().within_forward(x, self.kept(), y, self.alpha, self.beta)

    def backward(self, dy: Array, x: Array, y: Array, dx: Array) -> None:
        xp, sums = self.xp, self.sums()
        xp.multiply(dy, y, out=dx)
        xp.divide(dx, self.kept(), out=dx)
        self._mean.backward(dx, sums)
        native.load().within_backward(dy, x, self.kept(), sums, dx, self.alpha, self.beta)
