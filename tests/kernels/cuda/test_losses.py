"""Losses on a GPU beside the definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels.losses import SquaredDistance
from tests.kernels.cuda.emulation import EmulatedDevice, needs_compiler
from tests.kernels.cuda.passes import Hand, assert_same

COUNTS = pytest.mark.parametrize("count", [1, 300, 70_001])


def passes(device: Device, dtype: Any, count: int) -> list[np.ndarray]:
    hand = Hand(device, dtype)
    kernel = SquaredDistance.make(device, dtype, count)
    a, b, off, loss = hand.drawn(count), hand.drawn(count), hand.blank(count), hand.blank()
    weight, dx = hand.given(2.0), hand.blank(count)
    kernel.forward(a, b, off, loss, 0.5 / count)
    kernel.spread(off, weight, 1 / count, dx)
    return hand.back(off, loss, dx)


@needs_compiler
@COUNTS
def test_meets_the_definition(count: int) -> None:
    expected = passes(Device("cpu", tuned=False), np.float64, count)
    assert_same(passes(EmulatedDevice(), np.float32, count), expected)


@pytest.mark.gpu
@COUNTS
def test_a_gpu_meets_the_definition(count: int) -> None:
    expected = passes(Device("cpu", tuned=False), np.float64, count)
    assert_same(passes(Device("cuda:0"), np.float32, count), expected)
