"""Sums of two arrays on a GPU beside the definition."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels.combine import Combine
from tests.kernels.cuda.emulation import EmulatedDevice, needs_compiler
from tests.kernels.cuda.passes import TYPES, Hand, assert_meets


def passes(hand: Hand) -> list[np.ndarray]:
    shape = (3, 5, 71)
    kernel = hand.make(Combine, shape, 2)
    a, b, dy = (hand.drawn(*shape) for _ in range(3))
    out = [hand.blank(*shape) for _ in range(8)]
    kernel.weighted_sum([a, b], [1.0, 1.0], out[0])
    kernel.weighted_sum([a, b], [0.5, -2.0], out[1], rectify=True)
    kernel.scatter(dy, None, [1.0, 2.0], out[2:4])
    kernel.scatter(dy, None, [-1.0], out[4:5])
    kernel.scatter(dy, out[1], [0.5, -2.0], out[5:7])
    kernel.add(a, b, out[7])
    return hand.back(*out)


@needs_compiler
@TYPES
def test_meets_the_definition(dtype: str) -> None:
    assert_meets(passes, EmulatedDevice(), dtype)


@pytest.mark.gpu
@TYPES
def test_a_gpu_meets_the_definition(dtype: str) -> None:
    assert_meets(passes, Device("cuda:0"), dtype)
