"""Rectification on a GPU beside the definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels.activations import Rectifier
from tests.kernels.cuda.emulation import EmulatedDevice, needs_compiler
from tests.kernels.cuda.passes import Hand, assert_same

SLOPES = pytest.mark.parametrize("slope", [0.0, 0.1, -0.5])


def passes(device: Device, dtype: Any, slope: float) -> list[np.ndarray]:
    hand, shape = Hand(device, dtype), (3, 5, 71)
    kernel = Rectifier.make(device, dtype, shape, slope)
    x, dy, y, dx = hand.drawn(*shape), hand.drawn(*shape), hand.blank(*shape), hand.blank(*shape)
    kernel.forward(x, y)
    kernel.backward(dy, x, dx)
    kernel.forward(x, x)
    kernel.backward(dy, x, dy)
    return hand.back(y, dx, x, dy)


@needs_compiler
@SLOPES
def test_meets_the_definition(slope: float) -> None:
    expected = passes(Device("cpu", tuned=False), np.float64, slope)
    assert_same(passes(EmulatedDevice(), np.float32, slope), expected)


@pytest.mark.gpu
@SLOPES
def test_a_gpu_meets_the_definition(slope: float) -> None:
    expected = passes(Device("cpu", tuned=False), np.float64, slope)
    assert_same(passes(Device("cuda:0"), np.float32, slope), expected)
