"""The peak arithmetic rate and memory bandwidth of a machine, measured briefly."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from protonet.device import Device

_SECONDS = 0.15
"""The least time of each measurement, in seconds."""


@dataclass(frozen=True)
class Machine:
    """``arithmetic``: FLOP/s of a product of float32 matrices; ``bandwidth``: bytes per second,
    read and written, of a copy larger than the caches.
    """

    arithmetic: float
    bandwidth: float


def measure_machine(device: Device, side: int | None = None, count: int | None = None) -> Machine:
    """Measure a device: with matrices of ``side`` x ``side``, and a copy of ``count`` floats."""
    side = side or (1024 if device.is_cpu else 4096)
    count = count or (2**24 if device.is_cpu else 2**27)
    xp = device.xp
    a, b, c = (device.zeros((side, side)) for _ in range(3))
    a.fill(0.5)
    b.fill(0.25)
    source, target = device.zeros((count,)), device.zeros((count,))
    product = _best(device, lambda: xp.matmul(a, b, out=c))
    copy = _best(device, lambda: xp.copyto(target, source))
    return Machine(2 * side**3 / product, 2 * source.nbytes / copy)


def _best(device: Device, function: Callable[[], object]) -> float:
    """The least of several times, in seconds, after a warm-up."""
    function()
    times: list[float] = []
    end = time.perf_counter() + _SECONDS
    while time.perf_counter() < end or len(times) < 3:
        before = device.timestamp()
        function()
        times.append(device.seconds_between(before, device.timestamp()))
    return float(np.min(times))
