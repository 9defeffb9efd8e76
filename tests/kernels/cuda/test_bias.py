"""Gradients of biases on a GPU beside the definition."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels.bias import BiasGradient
from tests.kernels.cuda.emulation import EmulatedDevice, needs_compiler
from tests.kernels.cuda.passes import TYPES, Hand, assert_meets

SHAPES = [(2, 3, 5), (9, 37, 1), (3, 2, 2003), (5, 2, 1048)]
EACH = pytest.mark.parametrize("shape", SHAPES, ids=str)


def passes(hand: Hand, shape: tuple[int, int, int]) -> list[np.ndarray]:
    channels = shape[1]
    kernel = hand.make(BiasGradient, *shape)
    dy, y, plain = hand.drawn(*shape), hand.drawn(*shape), hand.ones(channels)
    kernel.learn(dy, None, None)
    kernel.learn(dy, None, plain)
    both = hand.ones(channels)
    kernel.learn(dy, y, both)
    return hand.back(dy, plain, both)


@needs_compiler
@TYPES
@EACH
def test_meets_the_definition(dtype: str, shape: tuple[int, int, int]) -> None:
    assert_meets(passes, EmulatedDevice(), dtype, shape)


@pytest.mark.gpu
@TYPES
@EACH
def test_a_gpu_meets_the_definition(dtype: str, shape: tuple[int, int, int]) -> None:
    assert_meets(passes, Device("cuda:0"), dtype, shape)
