"""Local response normalization of a GPU beside the definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels.lrn import LRNAcrossChannels, LRNKernel, LRNWithinChannel
from tests.kernels.cuda.emulation import EmulatedDevice, needs_compiler
from tests.kernels.cuda.passes import TYPES, Hand, assert_meets

CASES = [
    ((2, 7, 3, 5), 5, 0.1, 0.75, 1.0),
    ((3, 2, 4, 1), 5, 1.0, 0.5, 2.0),
    ((1, 9, 17, 2), 3, 1e-4, 0.75, 1.0),
]
EACH = pytest.mark.parametrize("case", CASES, ids=str)
REGIONS = pytest.mark.parametrize("region", [LRNAcrossChannels, LRNWithinChannel])


def passes(hand: Hand, region: type[LRNKernel], case: Any) -> list[np.ndarray]:
    shape, *numbers = case
    x, dy = hand.drawn(*shape), hand.drawn(*shape)
    y, alone, dx = (hand.blank(*shape) for _ in range(3))
    kernel = hand.make(region, shape, *numbers)
    kernel.forward(x, y)
    kernel.backward(dy, x, y, dx)
    hand.make(region, shape, *numbers, keeps=False).forward(x, alone)
    return hand.back(y, dx, alone)


@needs_compiler
@TYPES
@REGIONS
@EACH
def test_meets_the_definition(dtype: str, region: type[LRNKernel], case: Any) -> None:
    assert_meets(passes, EmulatedDevice(), dtype, region, case)


@pytest.mark.gpu
@TYPES
@REGIONS
@EACH
def test_a_gpu_meets_the_definition(dtype: str, region: type[LRNKernel], case: Any) -> None:
    assert_meets(passes, Device("cuda:0"), dtype, region, case, rtol=1e-5)
