"""Zeroing and clipping of gradients g."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels import native
from protonet.kernels.kernel import Kernel


class ZeroGradients(Kernel):
    """Zeroes gradients before they are accumulated."""

    def clear(self, g: Array) -> None:
        """Write zeros."""
        g.fill(0)


class NativeZeroGradients(ZeroGradients, processor="native"):
    """On all threads: gradients of large nets dominate the memory traffic of an iteration."""

    def __init__(self, device: Device, dtype: Any) -> None:
        super().__init__(device, dtype)
        self._clear = native.load().clear

    def clear(self, g: Array) -> None:
        self._clear(g)


class GradientClipping(Kernel):
    """Clips gradients g to an L2 norm of ``limit``."""

    def __init__(self, device: Device, dtype: Any, g: Array, limit: float) -> None:
        super().__init__(device, dtype)
        self.g, self.limit = g, limit
        self._norm: Array = self.scratch(())
        self._squares: Array | None = None

    def factor(self) -> float:
        """The factor that the update has to apply."""
        xp, norm, g = self.xp, self._norm, self.g
        if self._squares is None:
            self._squares = self.scratch(g.shape)
        xp.multiply(g, g, self._squares)
        xp.sum(self._squares, out=norm)
        xp.sqrt(norm, norm)
        # limit / max(norm, limit) is computed on the device. The smallest normal number
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
        # written this way so that NaN propagates
        return 1.0 if norm <= self.limit else self.limit / norm
