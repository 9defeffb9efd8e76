"""Elementwise powers, exponentials and logarithms, and their gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels import native
from protonet.kernels.activations import Activation
from protonet.kernels.kernel import Condition


class Power(Activation):
    """y = (scale x + shift) ^ power, with a power other than 0."""

    def __init__(
        self,
        device: Device,
        dtype: Any,
        shape: tuple[int, ...],
        power: float,
        scale: float,
        shift: float,
    ) -> None:
        super().__init__(device, dtype, shape)
        self.power, self.scale, self.shift = power, scale, shift

    def forward(self, x: Array, y: Array, *, rectify: bool = False) -> None:
        """Write y; with ``rectify``, which requires a power of 1, negative values become 0."""
        xp = self.xp
        self._base(x, y)
        if rectify:
            xp.maximum(y, 0.0, out=y)
        if self.power == 2:
            xp.multiply(y, y, out=y)
        elif self.power != 1:
            xp.power(y, self.power, out=y)

    def backward(self, dy: Array, x: Array, dx: Array, *, y: Array | None = None) -> None:
        """Write dx; with a power of 1 ``x`` is not read. ``y`` is the output of a fused ReLU."""
        xp = self.xp
        if y is not None:
            positive = self.work("positive", np.bool_)
            xp.greater(y, 0.0, out=positive)
            xp.multiply(dy, positive, out=dx)
            xp.multiply(dx, self.scale, out=dx)
            return
        if self.power == 1:
            xp.multiply(dy, self.scale, out=dx)
            return
        slope = self.work()
        self._base(x, slope)
        if self.power != 2:
            xp.power(slope, self.power - 1, out=slope)
        xp.multiply(slope, self.power * self.scale, out=slope)
        xp.multiply(dy, slope, out=dx)

    def _base(self, x: Array, out: Array) -> None:
        self.xp.multiply(x, self.scale, out=out)
        if self.shift != 0:
            self.xp.add(out, self.shift, out=out)


class NativePower(Power, processor="native"):
    """Powers of 1 and 2, in one pass."""

    requires = (Condition("the power is 1 or 2", lambda _shape, power, *_, **__: power in (1, 2)),)

    def __init__(
        self,
        device: Device,
        dtype: Any,
        shape: tuple[int, ...],
        power: float,
        scale: float,
        shift: float,
    ) -> None:
        super().__init__(device, dtype, shape, power, scale, shift)
        self._module = native.load()

    def forward(self, x: Array, y: Array, *, rectify: bool = False) -> None:
        if self.power == 1:
            self._module.linear(x, y, self.scale, self.shift, rectify)
        else:
            self._module.square(x, y, self.scale, self.shift)

    def backward(self, dy: Array, x: Array, dx: Array, *, y: Array | None = None) -> None:
        if y is not None:
            self._module.linear_back(dy, y, dx, self.scale)
        elif self.power == 1:
            self._module.linear(dy, dx, self.scale, 0.0, False)
        else:
            self._module.square_back(dy, x, dx, self.scale, self.shift)


class Exponential(Activation):
    """y = outer exp(inner x)."""

    def __init__(
        self, device: Device, dtype: Any, shape: tuple[int, ...], inner: float, outer: float
    ) -> None:
        super().__init__(device, dtype, shape)
        self.inner, self.outer = inner, outer

    def forward(self, x: Array, y: Array) -> None:
        """Write y."""
        xp = self.xp
        xp.multiply(x, self.inner, out=y)
        xp.exp(y, out=y)
        if self.outer != 1:
            xp.multiply(y, self.outer, out=y)

    def backward(self, dy: Array, y: Array, dx: Array) -> None:
        """Write dx = inner dy y."""
        self.xp.multiply(dy, y, out=dx)
        self.xp.multiply(dx, self.inner, out=dx)


class NativeExponential(Exponential, processor="native"):
    """One pass."""

    def forward(self, x: Array, y: Array) -> None:
        native.load().exponential(x, y, self.inner, self.outer)

    def backward(self, dy: Array, y: Array, dx: Array) -> None:
        native.load().exponential_back(dy, y, dx, self.inner)


class Logarithm(Activation):
    """y = factor log(scale x + shift)."""

    def __init__(
        self,
        device: Device,
        dtype: Any,
        shape: tuple[int, ...],
        scale: float,
        shift: float,
        factor: float,
    ) -> None:
        super().__init__(device, dtype, shape)
        self.scale, self.shift, self.factor = scale, shift, factor

    def forward(self, x: Array, y: Array) -> None:
        """Write y."""
        xp = self.xp
        self._argument(x, y)
        xp.log(y, out=y)
        if self.factor != 1:
            xp.multiply(y, self.factor, out=y)

    def backward(self, dy: Array, x: Array, dx: Array) -> None:
        """Write dx = dy factor scale / (scale x + shift)."""
        xp, slope = self.xp, self.work()
        self._argument(x, slope)
        xp.divide(self.scale * self.factor, slope, out=slope)
        xp.multiply(dy, slope, out=dx)

    def _argument(self, x: Array, out: Array) -> None:
        self.xp.multiply(x, self.scale, out=out)
        if self.shift != 0:
            self.xp.add(out, self.shift, out=out)


class NativeLogarithm(Logarithm, processor="native"):
    """The gradient in one pass."""

    def backward(self, dy: Array, x: Array, dx: Array) -> None:
        native.load().reciprocal_back(dy, x, dx, self.scale, self.shift, self.scale * self.factor)
