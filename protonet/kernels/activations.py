"""Elementwise activations and their gradients, for arrays of one shape."""

from __future__ import annotations

from typing import Any

import numpy as np

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels import elementwise, native
from protonet.kernels.kernel import STORED, Kernel


class Activation(Kernel):
    """y = f(x), where y may be ``x`` and dx may be ``dy``; definitions create scratch lazily."""

    def __init__(self, device: Device, dtype: Any, shape: tuple[int, ...]) -> None:
        super().__init__(device, dtype)
        self._shape = shape
        self._made: dict[str, Array] = {}

    def work(self, name: str = "work", dtype: Any = None) -> Array:
        """Named scratch of x's shape."""
        if name not in self._made:
            self._made[name] = self.scratch(self._shape, dtype)
        return self._made[name]


class Rectifier(Activation):
    """y = max(x, 0) + slope min(x, 0)."""

    def __init__(self, device: Device, dtype: Any, shape: tuple[int, ...], slope: float) -> None:
        super().__init__(device, dtype, shape)
        self.slope = slope

    def forward(self, x: Array, y: Array) -> None:
        """Write y."""
        xp = self.xp
        if self.slope == 0:
            xp.maximum(x, 0.0, out=y)
            return
        negative = self.work()
        xp.minimum(x, 0.0, out=negative)
        xp.multiply(negative, self.slope, out=negative)
        xp.maximum(x, 0.0, out=y)
        xp.add(y, negative, out=y)

    def backward(self, dy: Array, sided: Array, dx: Array) -> None:
        """Write dx; ``sided`` is x, or y where that has its sign."""
        xp = self.xp
        if self.slope == 0:
            positive = self.work("positive", np.bool_)
            xp.greater(sided, 0.0, out=positive)
            xp.multiply(dy, positive, out=dx)
            return
        slope = self.work()
        xp.greater(sided, 0.0, out=slope)
        xp.multiply(slope, 1.0 - self.slope, out=slope)
        xp.add(slope, self.slope, out=slope)
        xp.multiply(dy, slope, out=dx)


class NativeRectifier(Rectifier, processor="native"):
    """One pass."""

    dtypes = STORED

    def forward(self, x: Array, y: Array) -> None:
        native.of(self.dtype).rectify(x, y, self.slope)

    def backward(self, dy: Array, sided: Array, dx: Array) -> None:
        native.of(self.dtype).rectify_back(dy, sided, dx, self.slope)


class Bounds(Activation):
    """y = x clamped to [``low``, ``high``]; the slope is 1 between them, at them unless open."""

    def __init__(
        self,
        device: Device,
        dtype: Any,
        shape: tuple[int, ...],
        low: float,
        high: float,
        is_open: bool,
    ) -> None:
        super().__init__(device, dtype, shape)
        self.low, self.high, self.is_open = low, high, is_open

    def forward(self, x: Array, y: Array) -> None:
        """Write y."""
        self.xp.maximum(x, self.low, out=y)
        self.xp.minimum(y, self.high, out=y)

    def backward(self, dy: Array, x: Array, dx: Array) -> None:
        """Write dx; where open, y determines it as well as ``x`` does."""
        xp = self.xp
        inside, below = self.work("inside", np.bool_), self.work("below", np.bool_)
        (xp.greater if self.is_open else xp.greater_equal)(x, self.low, out=inside)
        (xp.less if self.is_open else xp.less_equal)(x, self.high, out=below)
        xp.logical_and(inside, below, out=inside)
        xp.multiply(dy, inside, out=dx)


class NativeBounds(Bounds, processor="native"):
    """One pass."""

    dtypes = STORED

    def forward(self, x: Array, y: Array) -> None:
        native.of(self.dtype).clip(x, y, self.low, self.high)

    def backward(self, dy: Array, x: Array, dx: Array) -> None:
        native.of(self.dtype).clip_back(dy, x, dx, self.low, self.high, self.is_open)


class ELU(Activation):
    """y = x where x > 0, alpha (exp(x) - 1) elsewhere."""

    def __init__(self, device: Device, dtype: Any, shape: tuple[int, ...], alpha: float) -> None:
        super().__init__(device, dtype, shape)
        self.alpha = alpha

    def forward(self, x: Array, y: Array) -> None:
        """Write y."""
        xp, negative = self.xp, self.work()
        xp.minimum(x, 0.0, out=negative)
        xp.expm1(negative, out=negative)
        xp.multiply(negative, self.alpha, out=negative)
        xp.maximum(x, 0.0, out=y)
        xp.add(y, negative, out=y)

    def backward(self, dy: Array, y: Array, sided: Array, dx: Array) -> None:
        """Write dx; ``sided`` is x, or y where that has its sign."""
        xp, slope, positive = self.xp, self.work(), self.work("positive")
        xp.greater(sided, 0.0, out=positive)
        # 1 where positive, y + alpha elsewhere: (y + alpha - 1) (1 - positive) + 1
        xp.add(y, self.alpha - 1.0, out=slope)
        xp.subtract(1.0, positive, out=positive)
        xp.multiply(slope, positive, out=slope)
        xp.add(slope, 1.0, out=slope)
        xp.multiply(dy, slope, out=dx)


class NativeELU(ELU, processor="native"):
    """One pass."""

    dtypes = STORED

    def forward(self, x: Array, y: Array) -> None:
        native.of(self.dtype).elu(x, y, self.alpha)

    def backward(self, dy: Array, y: Array, sided: Array, dx: Array) -> None:
        native.of(self.dtype).elu_back(dy, y, sided, dx, self.alpha)


class Swish(Activation):
    """y = x s(x), with s(x) = 1 / (1 + exp(-beta x))."""

    def __init__(self, device: Device, dtype: Any, shape: tuple[int, ...], beta: float) -> None:
        super().__init__(device, dtype, shape)
        self.beta = beta

    def forward(self, x: Array, y: Array) -> None:
        """Write y."""
        gate = self._open(x)
        self.xp.multiply(x, gate, out=y)

    def backward(self, dy: Array, x: Array, dx: Array) -> None:
        """Write dx = dy (s + beta x s (1 - s))."""
        xp, gate, slope = self.xp, self._open(x), self.work("slope")
        xp.subtract(1.0, gate, out=slope)
        xp.multiply(slope, x, out=slope)
        xp.multiply(slope, self.beta, out=slope)
        xp.add(slope, 1.0, out=slope)
        xp.multiply(slope, gate, out=slope)
        xp.multiply(dy, slope, out=dx)

    def _open(self, x: Array) -> Array:
        gate = self.work()
        self.xp.multiply(x, self.beta, out=gate)
        elementwise.sigmoid(self.xp, gate, gate)
        return gate


class NativeSwish(Swish, processor="native"):
    """One pass."""

    dtypes = STORED

    def forward(self, x: Array, y: Array) -> None:
        native.of(self.dtype).swish(x, y, self.beta)

    def backward(self, dy: Array, x: Array, dx: Array) -> None:
        native.of(self.dtype).swish_back(dy, x, dx, self.beta)


class Sigmoid(Activation):
    """y = 1 / (1 + exp(-x))."""

    def forward(self, x: Array, y: Array) -> None:
        """Write y."""
        elementwise.sigmoid(self.xp, x, y)

    def backward(self, dy: Array, y: Array, dx: Array) -> None:
        """Write dx = dy y (1 - y)."""
        elementwise.sigmoid_gradient(self.xp, y, dy, dx, self.work())


class NativeSigmoid(Sigmoid, processor="native"):
    """One pass."""

    dtypes = STORED

    def forward(self, x: Array, y: Array) -> None:
        native.of(self.dtype).sigmoid(x, y)

    def backward(self, dy: Array, y: Array, dx: Array) -> None:
        native.of(self.dtype).sigmoid_back(dy, y, dx)


class TanH(Activation):
    """y = tanh(x)."""

    def forward(self, x: Array, y: Array) -> None:
        """Write y."""
        self.xp.tanh(x, out=y)

    def backward(self, dy: Array, y: Array, dx: Array) -> None:
        """Write dx = dy (1 - y^2)."""
        elementwise.tanh_gradient(self.xp, y, dy, dx, self.work())


class NativeTanH(TanH, processor="native"):
    """One pass."""

    dtypes = STORED

    def forward(self, x: Array, y: Array) -> None:
        native.of(self.dtype).tanh(x, y)

    def backward(self, dy: Array, y: Array, dx: Array) -> None:
        native.of(self.dtype).tanh_back(dy, y, dx)


class Softplus(Activation):
    """y = log(1 + exp(x))."""

    def forward(self, x: Array, y: Array) -> None:
        """Write y."""
        elementwise.softplus(self.xp, x, y, self.work())

    def backward(self, dy: Array, y: Array, dx: Array) -> None:
        """Write dx = dy (1 - exp(-y))."""
        elementwise.softplus_gradient(self.xp, y, dy, dx, self.work())


class NativeSoftplus(Softplus, processor="native"):
    """One pass."""

    dtypes = STORED

    def forward(self, x: Array, y: Array) -> None:
        native.of(self.dtype).softplus(x, y)

    def backward(self, dy: Array, y: Array, dx: Array) -> None:
        native.of(self.dtype).softplus_back(dy, y, dx)


class Absolute(Activation):
    """y = |x|."""

    def forward(self, x: Array, y: Array) -> None:
        """Write y."""
        self.xp.absolute(x, out=y)

    def backward(self, dy: Array, x: Array, dx: Array) -> None:
        """Write dx = dy sign(x), with 0 for the sign of 0."""
        slope = self.work()
        self.xp.sign(x, out=slope)
        self.xp.multiply(dy, slope, out=dx)


class NativeAbsolute(Absolute, processor="native"):
    """One pass."""

    dtypes = STORED

    def forward(self, x: Array, y: Array) -> None:
        native.of(self.dtype).absolute(x, y)

    def backward(self, dy: Array, x: Array, dx: Array) -> None:
        native.of(self.dtype).absolute_back(dy, x, dx)
