"""The gradient of a bias, optionally through a fused ReLU."""

from __future__ import annotations

from typing import Any

import numpy as np

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels import native
from protonet.kernels.kernel import STORED, Kernel


class BiasGradient(Kernel):
    """For tops of items x channels x places, in any shape.

    Args:
        items: images in a batch.
        channels: of an image, and elements of the bias.
        places: of a channel of an image.
    """

    def __init__(self, device: Device, dtype: Any, items: int, channels: int, places: int) -> None:
        super().__init__(device, dtype)
        self._extents = (items, channels, places)
        self._total: Array | None = None
        self._positive: Array | None = None

    def learn(self, dy: Array, y: Array | None, db: Array | None) -> None:
        """With ``y``, zero ``dy`` where y is not above 0; then add its sums to ``db``."""
        xp = self.xp
        if y is not None:
            if self._positive is None:
                self._positive = self.scratch(dy.shape, np.bool_)
            xp.greater(y, 0.0, out=self._positive)
            xp.multiply(dy, self._positive, out=dy)
        if db is not None:
            if self._total is None:
                self._total = self.scratch(db.shape)
            dy.reshape(self._extents).sum(axis=(0, 2), out=self._total)
            xp.add(db, self._total, out=db)


class NativeBiasGradient(BiasGradient, processor="native"):
    """In one pass."""

    dtypes = STORED

    def __init__(self, device: Device, dtype: Any, items: int, channels: int, places: int) -> None:
        super().__init__(device, dtype, items, channels, places)
        self._learn = native.of(self.dtype).learn_bias

    def learn(self, dy: Array, y: Array | None, db: Array | None) -> None:
        self._learn(dy, y, db, *self._extents)
