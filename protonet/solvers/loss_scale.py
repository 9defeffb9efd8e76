"""Dynamic loss scaling, for gradients in float16."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from protonet.blob import Array, ParamStore
from protonet.device import Device
from protonet.errors import TrainingError
from protonet.kernels.loss_scale import BAD, GOOD, HALT, INITIAL_SCALE, Unscale

_MOST_BAD = 40
"""Consecutive skipped updates after which training fails."""


class LossScale:
    """Unscales the gradients of a store before each update.

    If one of them is not finite, ``halt`` is 1: the update must be skipped, and the scale is halved
    for the next pass.

    Args:
        scale: one number on the device, which multiplies the gradients of the losses.
        store: the parameters.
        device: where they are.
    """

    def __init__(self, scale: Array, store: ParamStore, device: Device) -> None:
        self._scale, self._store, self._device = scale, store, device
        self._counts = device.zeros((4,), np.float32)
        self._kernel = Unscale.make(device, store.diff.dtype, store.diff.size)
        scale.fill(INITIAL_SCALE)

    @property
    def halt(self) -> Array:
        """One number on the device: 1 if this update must be skipped, else 0."""
        return self._counts[HALT : HALT + 1]

    def settle(self) -> None:
        """Unscale the gradients, check them and adapt the scale; does not synchronize."""
        self._kernel.settle(self._store.diff, self._scale, self._counts)

    def check(self) -> None:
        """Raise TrainingError if no scale makes the gradients finite; synchronizes."""
        if self._device.get(self._counts)[BAD] >= _MOST_BAD:
            raise TrainingError(
                f"the gradients of the last {_MOST_BAD} iterations were not finite, however small "
                "the loss scale: train in bfloat16 or float32 (--precision), or with a "
                "smaller learning rate"
            )

    def state(self) -> list[float]:
        """The scale and the updates since it changed, for an exact resume."""
        return [float(self._scale.item()), float(self._device.get(self._counts)[GOOD])]

    def restore(self, state: Sequence[float]) -> None:
        """Restore a ``state``."""
        scale, good = state
        self._scale.fill(scale)
        self._device.put(np.array([good, 0, 0, 0], np.float32), self._counts)
