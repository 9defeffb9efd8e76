"""The ring of losses, as defined."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels.history import LossHistory


def check_ring(device: Device) -> None:
    """Seven iterations of two passes each, in a ring of three."""
    kernel = LossHistory.make(device, np.float32, 3)
    ring, at = device.zeros((3,), np.float32), device.zeros((1,), np.int32)
    values = device.zeros((2, 2), np.float32)
    for iteration in range(7):
        kernel.begin(ring, at)
        for one in (iteration, 1.0):
            values.fill(one)
            kernel.add(values, 0.5, ring, at)
    newest = int(device.get(at)[0])
    order = [(newest - back) % 3 for back in range(3)]
    assert [float(device.get(ring)[place]) for place in order] == [14.0, 12.0, 10.0]


def test_the_newest_losses_are_kept() -> None:
    check_ring(Device("cpu", tuned=False))


@pytest.mark.gpu
def test_a_gpu_keeps_the_newest_losses() -> None:
    check_ring(Device("cuda:0"))
