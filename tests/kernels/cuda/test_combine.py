"""Sums of two arrays on a GPU beside the definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels.combine import Combine
from tests.kernels.cuda.emulation import EmulatedDevice, needs_compiler
from tests.kernels.cuda.passes import Hand, assert_same


def passes(device: Device, dtype: Any) -> list[np.ndarray]:
    hand, shape = Hand(device, dtype), (3, 5, 71)
    kernel = Combine.make(device, dtype, shape, 2)
    a, b, dy = (hand.drawn(*shape) for _ in range(3))
    out = [hand.blank(*shape) for _ in range(7)]
    kernel.weighted_sum([a, b], [1.0, 1.0], out[0])
    kernel.weighted_sum([a, b], [0.5, -2.0], out[1], rectify=True)
    kernel.scatter(dy, None, [1.0, 2.0], out[2:4])
    kernel.scatter(dy, None, [-1.0], out[4:5])
    kernel.scatter(dy, out[1], [0.5, -2.0], out[5:7])
    return hand.back(*out)


@needs_compiler
def test_meets_the_definition() -> None:
    expected = passes(Device("cpu", tuned=False), np.float64)
    assert_same(passes(EmulatedDevice(), np.float32), expected)


@pytest.mark.gpu
def test_a_gpu_meets_the_definition() -> None:
    expected = passes(Device("cpu", tuned=False), np.float64)
    assert_same(passes(Device("cuda:0"), np.float32), expected)
