"""Gradients of biases on a GPU beside the definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels.bias import BiasGradient
from tests.kernels.cuda.emulation import EmulatedDevice, needs_compiler
from tests.kernels.cuda.passes import Hand, assert_same

SHAPES = [(2, 3, 5), (9, 37, 1), (3, 2, 2003)]
EACH = pytest.mark.parametrize("shape", SHAPES, ids=str)


def passes(device: Device, dtype: Any, shape: tuple[int, int, int]) -> list[np.ndarray]:
    hand, channels = Hand(device, dtype), shape[1]
    kernel = BiasGradient.make(device, dtype, *shape)
    dy, y, plain = hand.drawn(*shape), hand.drawn(*shape), hand.ones(channels)
    kernel.learn(dy, None, None)
    kernel.learn(dy, None, plain)
    both = hand.ones(channels)
    kernel.learn(dy, y, both)
    return hand.back(dy, plain, both)


@needs_compiler
@EACH
def test_meets_the_definition(shape: tuple[int, int, int]) -> None:
    expected = passes(Device("cpu", tuned=False), np.float64, shape)
    assert_same(passes(EmulatedDevice(), np.float32, shape), expected)


@pytest.mark.gpu
@EACH
def test_a_gpu_meets_the_definition(shape: tuple[int, int, int]) -> None:
    expected = passes(Device("cpu", tuned=False), np.float64, shape)
    assert_same(passes(Device("cuda:0"), np.float32, shape), expected)
