"""What is done to the gradients g of an iteration before the steps of solvers use them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels import native
from protonet.kernels.kernel import Kernel


class ZeroGradients(Kernel):
    """Makes gradients 0 before an iteration adds to them."""

    def clear(self, g: Array) -> None:
        """Write zeros."""
        g.fill(0)


class NativeZeroGradients(ZeroGradients, processor="native"):
    """On all threads: gradients of large nets are most of what an iteration writes."""

    def __init__(self, device: Device, dtype: Any) -> None:
        super().__init__(device, dtype)
        self._clear = native.load().clear

    def clear(self, g: Array) -> None:
        self._clear(g)


class GradientClipping(Kernel):
    """Gradients g whose L2 norm is above ``limit`` are made that short."""

    def __init__(self, device: Device, dtype: Any, g: Array, limit: float) -> None:
        super().__init__(device, dtype)
        self.g, self.limit = g, limit
        self._norm: Array = self.scratch(())
        self._squares: Array | None = None

    def factor(self) -> float:
        """What the gradients must be multiplied by still."""
        xp, norm, g = self.xp, self._norm, self.g
        if self._squares is None:
            self._squares = self.scratch(g.shape)
        xp.multiply(g, g, self._squares)
        xp.sum(self._squares, out=norm)
        xp.sqrt(norm, norm)
        # limit / max(norm, limit) is computed where the gradients are. The smallest normal number
        # stands in for a limit of 0, which must not become 0 / 0.
        xp.maximum(norm, max(self.limit, float(np.finfo(norm.dtype).tiny)), out=norm)
        xp.divide(self.limit, norm, norm)
        xp.multiply(g, norm, g)
        return 1.0


class NativeGradientClipping(GradientClipping, processor="native"):
    """One pass that reads; the update multiplies."""

    def __init__(self, device: Device, dtype: Any, g: Array, limit: float) -> None:
        super().__init__(device, dtype, g, limit)
        self._square_sum = native.load().square_sum

    def factor(self) -> float:
        norm = math.sqrt(self._square_sum(self.g))
        # written so that a norm that is not a number makes no number
        return 1.0 if norm <= self.limit else self.limit / norm
