"""The scale of a loss whose gradients are of 16 bits: it moves by what the gradients are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from protonet.blob import Array, ParamStore
from protonet.device import Device
from protonet.errors import TrainingError
from protonet.kernels.loss_scale import BAD, FIRST, GOOD, HALT, Unscale

_MOST_BAD = 40
"""So many halvings in a row leave nothing of a scale."""


class LossScale:
    """Makes the gradients of a store what they are without the scale, before each update.

    Where one of them is not finite, ``halt`` is 1: the update must leave everything as it is, and
    the next pass has half the scale.

    Args:
        scale: one number on the device, which the losses' gradients are multiplied by.
        store: the parameters.
        device: where they are.
    """

    def __init__(self, scale: Array, store: ParamStore, device: Device) -> None:
        self._scale, self._store, self._device = scale, store, device
        self._counts = device.zeros((4,), np.float32)
        self._kernel = Unscale.make(device, store.diff.dtype, store.diff.size)
        scale.fill(FIRST)

    @property
    def halt(self) -> Array:
        """One number on the device: 1 where this update is to be left out, else 0."""
        return self._counts[HALT : HALT + 1]

    def settle(self) -> None:
        """Divide the gradients, and judge them. On a GPU nothing is waited for."""
        self._kernel.settle(self._store.diff, self._scale, self._counts)

    def check(self) -> None:
        """Raise TrainingError where no scale makes the gradients finite; waits for the device."""
        if self._device.get(self._counts)[BAD] >= _MOST_BAD:
            raise TrainingError(
                f"the gradients of the last {_MOST_BAD} iterations were not finite, however small "
                "the scale of the loss: train in bfloat16 or float32 (--precision), or with a "
                "smaller learning rate"
            )

    def state(self) -> list[float]:
        """The scale, and the steps since it changed: for an exact resume."""
        return [float(self._scale.item()), float(self._device.get(self._counts)[GOOD])]

    def restore(self, state: Sequence[float]) -> None:
        """Take up a ``state`` again."""
        scale, good = state
        self._scale.fill(scale)
        self._device.put(np.array([good, 0, 0, 0], np.float32), self._counts)
