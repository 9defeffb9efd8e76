"""The losses of iterations: read as they come, or on a GPU kept there until they are asked for."""

from __future__ import annotations

import numpy as np

from protonet.graph.net import Net
from protonet.kernels.history import LossHistory


class Losses:
    """Reads the loss of each pass.

    Args:
        net: whose losses.
        passes: how many make an iteration, whose loss is their mean.
        window: how many iterations are of interest at most.
    """

    def __init__(self, net: Net, passes: int, window: int) -> None:
        self.net, self.passes, self.window = net, passes, window
        self._found: list[float] = []

    def count(self) -> None:
        """An iteration begins, for the host."""
        if len(self._found) >= 2 * self.window:  # nobody asks: what is too old goes
            del self._found[: -self.window]
        self._found.append(0.0)

    def begin(self) -> None:
        """An iteration begins, for the device."""

    def take(self) -> None:
        """A pass was made."""
        self._found[-1] += self.net.loss() / self.passes

    def collect(self) -> list[float]:
        """The losses of whole iterations since this was last called, the newest last; no more than
        ``window``. Waits for the device.
        """
        found, self._found = self._found, []
        return found[-self.window :]


class DeviceLosses(Losses):
    """Adds them up on the device: nothing waits until somebody asks."""

    def __init__(self, net: Net, passes: int, window: int) -> None:
        super().__init__(net, passes, window)
        self._kernel = LossHistory.make(net.device, np.float32, window)
        self._ring = net.device.zeros((window,), np.float32)
        self._at = net.device.zeros((1,), np.int32)
        self._begun = self._collected = 0

    def count(self) -> None:
        """An iteration begins, for the host."""
        self._begun += 1

    def begin(self) -> None:
        """Go on to the next place of the ring."""
        self._kernel.begin(self._ring, self._at)

    def take(self) -> None:
        """Add what the pass made."""
        for weight, values in self.net.losses:
            self._kernel.add(values, weight / self.passes, self._ring, self._at)

    def collect(self) -> list[float]:
        """Copy the ring to the host, and wait for that."""
        new = min(self._begun - self._collected, self.window)
        self._collected = self._begun
        if not new:
            return []
        ring, newest = self.net.device.get(self._ring), int(self._at.item())
        return [float(ring[place % self.window]) for place in range(newest - new + 1, newest + 1)]


def losses_of(net: Net, passes: int, window: int) -> Losses:
    """The losses of a net, kept where it lives."""
    return (Losses if net.device.is_cpu else DeviceLosses)(net, passes, window)
