"""The scale of a loss, as defined."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels.loss_scale import BAD, GOOD, GROWTH_INTERVAL, HALT, MAX_SCALE, Unscale


def settled(
    device: Device, gradients: list[float], scale: float, good: float = 0, bad: float = 0
) -> tuple[np.ndarray, float, list[float]]:
    """The gradients, the scale and the counts after one step."""
    kernel = Unscale.make(device, np.float32, len(gradients))
    g, held = device.zeros((len(gradients),)), device.zeros(())
    counts = device.zeros((4,))
    device.put(np.array(gradients, np.float32), g)
    device.put(np.array([good, 0, bad, 0], np.float32), counts)
    held.fill(scale)
    kernel.settle(g, held, counts)
    found = device.get(counts).tolist()
    return np.array(device.get(g)), float(held.item()), [found[at] for at in (GOOD, HALT, BAD)]


def check_scale(device: Device) -> None:
    """Finite gradients, several that are not, and a scale that grows."""
    g, scale, counts = settled(device, [1024.0, -3.0, 0.0], 256, good=5, bad=3)
    assert (g.tolist(), scale, counts) == ([4.0, -3 / 256, 0.0], 256, [6, 0, 0])
    for wrong in (np.inf, -np.inf, np.nan):
        _, scale, counts = settled(device, [1.0] * 700 + [wrong, 2.0], 256, good=1999, bad=3)
        assert (scale, counts) == (128, [0, 1, 4])
    _, scale, counts = settled(device, [1.0], 256, good=GROWTH_INTERVAL - 1)
    assert (scale, counts) == (512, [0, 0, 0])
    _, scale, _ = settled(device, [1.0], MAX_SCALE, good=GROWTH_INTERVAL - 1)
    assert scale == MAX_SCALE
    # what becomes infinite by a scale below 1
    _, scale, counts = settled(device, [3e38], 0.5)
    assert (scale, counts) == (0.25, [0, 1, 1])


@pytest.mark.filterwarnings("ignore:overflow")
def test_a_scale_moves_by_what_gradients_are() -> None:
    check_scale(Device("cpu", tuned=False))


@pytest.mark.gpu
def test_a_scale_moves_on_a_gpu() -> None:
    check_scale(Device("cuda:0"))
