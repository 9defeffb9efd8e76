"""The losses of the last iterations, kept on the device until they are read."""

from __future__ import annotations

from typing import Any

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels.kernel import Kernel


class LossHistory(Kernel):
    """A ring buffer of ``window`` sums; ``at``, one int32, is the index of the newest."""

    def __init__(self, device: Device, dtype: Any, window: int) -> None:
        super().__init__(device, dtype)
        self.window = window

    def begin(self, ring: Array, at: Array) -> None:
        """Advance to the next entry, and zero it."""
        place = (int(at.item()) + 1) % self.window
        at.fill(place)
        ring[place : place + 1].fill(0.0)

    def add(self, values: Array, share: float, ring: Array, at: Array) -> None:
        """Add ``share`` times the sum of ``values`` to the newest."""
        place = int(at.item())
        newest = ring[place : place + 1]
        self.xp.add(newest, share * float(values.sum()), out=newest)
