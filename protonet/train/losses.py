"""The losses of iterations: read after each pass, or kept on the GPU until they are collected."""

from __future__ import annotations

import numpy as np

from protonet.graph.net import Net
from protonet.kernels.history import LossHistory


class Losses:
    """Reads the loss of each pass.

    Args:
        net: the train net.
        passes: passes of an iteration, whose loss is their mean.
        window: the number of recent iterations to keep.
    """

    def __init__(self, net: Net, passes: int, window: int) -> None:
        self.net, self.passes, self.window = net, passes, window
        self._losses: list[float] = []

    def count(self) -> None:
        """Begin an iteration on the host."""
        if len(self._losses) >= 2 * self.window:  # not collected for long: drop the oldest
            del self._losses[: -self.window]
        self._losses.append(0.0)

    def begin(self) -> None:
        """Begin an iteration on the device."""

    def take(self) -> None:
        """Add the loss of a pass."""
        self._losses[-1] += self.net.loss() / self.passes

    def collect(self) -> list[float]:
        """The losses of the iterations since the last call, the newest last; at most ``window``.
        Synchronizes with the device.
        """
        losses, self._losses = self._losses, []
        return losses[-self.window :]


class DeviceLosses(Losses):
    """Sums losses in a ring buffer on the device, without synchronization until ``collect``."""

    def __init__(self, net: Net, passes: int, window: int) -> None:
        super().__init__(net, passes, window)
        self._kernel = LossHistory.make(net.device, np.float32, window)
        self._ring = net.device.zeros((window,), np.float32)
        self._at = net.device.zeros((1,), np.int32)
        self._begun = self._collected = 0

    def count(self) -> None:
        """Begin an iteration on the host."""
        self._begun += 1

    def begin(self) -> None:
        """Advance to the next element of the ring buffer."""
        self._kernel.begin(self._ring, self._at)

    def take(self) -> None:
        """Add the losses of a pass."""
        for weight, values in self.net.losses:
            self._kernel.add(values, weight / self.passes, self._ring, self._at)

    def collect(self) -> list[float]:
        """Copy the ring buffer to the host, and wait for it."""
        new = min(self._begun - self._collected, self.window)
        self._collected = self._begun
        if not new:
            return []
        ring, newest = self.net.device.get(self._ring), int(self._at.item())
        return [float(ring[place % self.window]) for place in range(newest - new + 1, newest + 1)]


def losses_of(net: Net, passes: int, window: int) -> Losses:
    """The losses of a net, on its device."""
    return (Losses if net.device.is_cpu else DeviceLosses)(net, passes, window)
