"""Rectification on a GPU beside the definition."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels.activations import Rectifier
from tests.kernels.cuda.emulation import EmulatedDevice, needs_compiler
from tests.kernels.cuda.passes import TYPES, Hand, assert_meets

SLOPES = pytest.mark.parametrize("slope", [0.0, 0.1, -0.5])


def passes(hand: Hand, slope: float) -> list[np.ndarray]:
    shape = (3, 5, 71)
    kernel = hand.make(Rectifier, shape, slope)
    x, dy, y, dx = hand.drawn(*shape), hand.drawn(*shape), hand.blank(*shape), hand.blank(*shape)
    kernel.forward(x, y)
    kernel.backward(dy, x, dx)
    kernel.forward(x, x)
    kernel.backward(dy, x, dy)
    return hand.back(y, dx, x, dy)


@needs_compiler
@TYPES
@SLOPES
def test_meets_the_definition(dtype: str, slope: float) -> None:
    assert_meets(passes, EmulatedDevice(), dtype, slope)


@pytest.mark.gpu
@TYPES
@SLOPES
def test_a_gpu_meets_the_definition(dtype: str, slope: float) -> None:
    assert_meets(passes, Device("cuda:0"), dtype, slope)
