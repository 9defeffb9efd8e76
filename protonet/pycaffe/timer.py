"""``caffe.Timer``."""

from __future__ import annotations

from typing import Any

from protonet.device import Device
from protonet.pycaffe import mode


class Timer:
    """Measures what lies between ``start`` and ``stop``: on the GPU of the mode that was set when
    the timer was made, the work that was queued there.

    Starting a timer that runs, and stopping one that does not, changes nothing, as in Caffe.
    """

    def __init__(self) -> None:
        self._device: Device = mode.device()
        self._began: Any = None
        self._ended: Any = None
        self._running = False

    def start(self) -> None:
        """Begin."""
        if not self._running:
            self._began, self._ended, self._running = self._device.timestamp(), None, True

    def stop(self) -> None:
        """End."""
        if self._running:
            self._ended, self._running = self._device.timestamp(), False

    @property
    def ms(self) -> float:
        """Milliseconds between start and stop; stops a timer that runs. 0, with a warning on
        standard error, before the first start.
        """
        if self._began is None:
            mode.log("Timer has never been run before reading time.")
            return 0.0
        self.stop()
        return 1000 * self._device.seconds_between(self._began, self._ended)
