"""Pooling of a GPU beside the definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels.pooling import AveragePool, MaxPool
from protonet.kernels.windows import Windows
from tests.kernels.cuda.emulation import EmulatedDevice, needs_compiler
from tests.kernels.cuda.passes import TYPES, Hand, assert_meets

# inputs, kernel, stride, pad, outputs: the last windows of some reach over the end
CASES = {
    "halving": ((6, 8), (2, 2), (2, 2), (0, 0), (3, 4)),
    "overlapping": ((7, 9), (3, 3), (2, 2), (0, 0), (3, 4)),
    "padded": ((5, 7), (3, 2), (1, 2), (1, 1), (5, 4)),
    "over the end": ((6, 7), (3, 3), (2, 2), (0, 0), (3, 3)),
    "with gaps": ((9, 7), (2, 1), (3, 3), (0, 0), (3, 3)),
    "all": ((4, 5), (4, 5), (1, 1), (0, 0), (1, 1)),
}
EACH = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


def passes(hand: Hand, case: Any) -> list[np.ndarray]:
    inputs, kernel, stride, pad, outputs = case
    windows = Windows(inputs, kernel, stride, pad, (1, 1), outputs)
    greatest = hand.make(MaxPool, windows, 2, 3)
    mean = hand.make(AveragePool, windows, 2, 3)
    x, dy = hand.drawn(2, 3, *inputs), hand.drawn(2, 3, *outputs)
    tops = [hand.blank(*dy.shape) for _ in range(3)]
    places = hand.device.zeros(dy.shape, np.int32)
    dx, dmean = hand.blank(*x.shape), hand.blank(*x.shape)
    greatest.forward(x, tops[0], places)
    greatest.forward(x, tops[1], None)
    greatest.backward(dy, places, dx)
    mean.forward(x, tops[2])
    mean.backward(dy, dmean)
    return hand.back(*tops, places, dx, dmean)


@needs_compiler
@TYPES
@EACH
def test_meets_the_definition(dtype: str, case: Any) -> None:
    assert_meets(passes, EmulatedDevice(), dtype, case)


@pytest.mark.gpu
@TYPES
@EACH
def test_a_gpu_meets_the_definition(dtype: str, case: Any) -> None:
    assert_meets(passes, Device("cuda:0"), dtype, case)
