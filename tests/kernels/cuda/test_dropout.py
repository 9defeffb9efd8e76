"""Dropout on a GPU beside the definition, with the same numbers."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels.dropout import Drop
from protonet.kernels.random_stream import RandomStream
from tests.kernels.cuda.emulation import EmulatedDevice, needs_compiler
from tests.kernels.cuda.passes import TYPES, Hand, assert_meets

SHAPES = pytest.mark.parametrize("shape", [(3,), (2, 4), (3, 5, 71)])


def passes(hand: Hand, shape: tuple[int, ...]) -> list[np.ndarray]:
    stream = RandomStream(hand.device, 9, "drop")
    kernel = hand.make(Drop, shape, 0.4)
    found = []
    for iteration in (0, 5):
        stream.clock.iteration = iteration
        x, dy, y, dx = hand.drawn(*shape), hand.drawn(*shape), *(hand.blank(*shape) for _ in "yx")
        kernel.forward(x, y, stream)
        kernel.backward(dy, dx)
        found += hand.back(y, dx)
    return found


@needs_compiler
@TYPES
@SHAPES
def test_meets_the_definition(dtype: str, shape: tuple[int, ...]) -> None:
    assert_meets(passes, EmulatedDevice(), dtype, shape)


@pytest.mark.gpu
@TYPES
@SHAPES
def test_a_gpu_meets_the_definition(dtype: str, shape: tuple[int, ...]) -> None:
    assert_meets(passes, Device("cuda:0"), dtype, shape)
