"""Local response normalization of a GPU beside the definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels.lrn import NormalizeAcross
from tests.kernels.cuda.emulation import EmulatedDevice, needs_compiler
from tests.kernels.cuda.passes import Hand, assert_same

CASES = [
    ((2, 7, 3, 5), 5, 0.1, 0.75, 1.0),
    ((3, 2, 4, 1), 5, 1.0, 0.5, 2.0),
    ((1, 9, 17, 2), 3, 1e-4, 0.75, 1.0),
]
EACH = pytest.mark.parametrize("case", CASES, ids=str)


def passes(device: Device, dtype: Any, case: Any) -> list[np.ndarray]:
    hand, (shape, *numbers) = Hand(device, dtype), case
    x, dy = hand.drawn(*shape), hand.drawn(*shape)
    y, alone, dx = (hand.blank(*shape) for _ in range(3))
    kernel = NormalizeAcross.make(device, dtype, shape, *numbers)
    kernel.forward(x, y)
    kernel.backward(dy, x, y, dx)
    NormalizeAcross.make(device, dtype, shape, *numbers, keeps=False).forward(x, alone)
    return hand.back(y, dx, alone)


@needs_compiler
@EACH
def test_meets_the_definition(case: Any) -> None:
    expected = passes(Device("cpu", tuned=False), np.float64, case)
    assert_same(passes(EmulatedDevice(), np.float32, case), expected)


@pytest.mark.gpu
@EACH
def test_a_gpu_meets_the_definition(case: Any) -> None:
    expected = passes(Device("cpu", tuned=False), np.float64, case)
    assert_same(passes(Device("cuda:0"), np.float32, case), expected, 1e-5)
