"""Dynamic loss scaling: gradients are unscaled and checked for overflow.

Numbers are those of PyTorch's GradScaler; the method is that of Micikevicius et al., "Mixed
Precision Training", ICLR 2018.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels.kernel import Kernel

INITIAL_SCALE = 65536.0
"""The initial scale."""

GROWTH_INTERVAL = 2000
"""Steps without an infinite gradient after which the scale doubles; one with halves it."""

MAX_SCALE = 2.0**60
"""The limit of the scale: it and its quotients must not overflow float32."""

GOOD, HALT, BAD, FOUND = range(4)
"""Indices in ``counts``: steps since the scale changed; whether this step is skipped; how many were
skipped in a row; used by the GPU."""


class Unscale(Kernel):
    """Divides gradients by the scale, and updates the scale."""

    def __init__(self, device: Device, dtype: Any, count: int) -> None:
        super().__init__(device, dtype)
        self.count = count

    def settle(self, g: Array, scale: Array, counts: Array) -> None:
        """Divide ``g`` by ``scale``; record in ``counts`` whether any is not finite; set the scale
        of the next step.

        Args:
            g: the gradients, a vector.
            scale: a scalar array.
            counts: four numbers, see ``GOOD`` and the others.
        """
        now, held = float(scale.item()), self.device.get(counts)
        self.xp.multiply(g, 1 / now, out=g)
        finite = bool(np.isfinite(self.device.get(g)).all())
        good = float(held[GOOD]) + 1 if finite else 0.0
        if not finite:
            now /= 2
        elif good >= GROWTH_INTERVAL:
            now, good = min(2 * now, MAX_SCALE), 0.0
        scale.fill(now)
        bad = 0.0 if finite else float(held[BAD]) + 1
        self.device.put(np.array([good, not finite, bad, 0], np.float32), counts)
