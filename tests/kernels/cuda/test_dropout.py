"""Dropout on a GPU beside the definition, with the same numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.device import Device, RandomStream
from protonet.kernels.dropout import Drop
from tests.kernels.cuda.emulation import EmulatedDevice, needs_compiler
from tests.kernels.cuda.passes import Hand, assert_same

SHAPES = pytest.mark.parametrize("shape", [(3,), (2, 4), (3, 5, 71)])


def passes(device: Device, dtype: Any, shape: tuple[int, ...]) -> list[np.ndarray]:
    hand = Hand(device, dtype)
    stream = RandomStream(device, 9, "drop")
    kernel = Drop.make(device, dtype, shape, 0.4)
    found = []
    for iteration in (0, 5):
        stream.clock.iteration = iteration
        x, dy, y, dx = hand.drawn(*shape), hand.drawn(*shape), *(hand.blank(*shape) for _ in "yx")
        kernel.forward(x, y, stream)
        kernel.backward(dy, dx)
        found += hand.back(y, dx)
    return found


@needs_compiler
@SHAPES
def test_meets_the_definition(shape: tuple[int, ...]) -> None:
    expected = passes(Device("cpu", tuned=False), np.float64, shape)
    assert_same(passes(EmulatedDevice(), np.float32, shape), expected)


@pytest.mark.gpu
@SHAPES
def test_a_gpu_meets_the_definition(shape: tuple[int, ...]) -> None:
    expected = passes(Device("cpu", tuned=False), np.float64, shape)
    assert_same(passes(Device("cuda:0"), np.float32, shape), expected)
