"""Rows added by index on a GPU beside the definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels.rows import AddRows
from tests.kernels.cuda.emulation import EmulatedDevice, needs_compiler
from tests.kernels.cuda.passes import Hand, assert_same


def passes(device: Device, dtype: Any) -> list[np.ndarray]:
    hand, (count, length) = Hand(device, dtype), (29, 37)
    kernel = AddRows.make(device, dtype, count, length)
    rows = device.empty((count,), np.int64)
    device.put(np.arange(count) ** 2 % 11, rows)
    dx = hand.ones(13, length)
    kernel.add(dx, rows, hand.drawn(count, length))
    return hand.back(dx)


@needs_compiler
def test_meets_the_definition() -> None:
    expected = passes(Device("cpu", tuned=False), np.float64)
    assert_same(passes(EmulatedDevice(), np.float32), expected)


@pytest.mark.gpu
def test_a_gpu_meets_the_definition() -> None:
    expected = passes(Device("cpu", tuned=False), np.float64)
    assert_same(passes(Device("cuda:0"), np.float32), expected)
