"""Numbers for channels on a GPU beside the definition."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels.scaling import ParametricRectifier, Scaling
from tests.kernels.cuda.emulation import EmulatedDevice, needs_compiler
from tests.kernels.cuda.passes import TYPES, Hand, assert_meets

SHAPES = [(2, 3, 5), (9, 37, 1), (3, 2, 2003), (5, 2, 1048)]
EACH = pytest.mark.parametrize("shape", SHAPES, ids=str)


def passes(hand: Hand, shape: tuple[int, int, int]) -> list[np.ndarray]:
    channels = shape[1]
    kernel = hand.make(Scaling, *shape)
    x, dy = hand.drawn(*shape), hand.drawn(*shape)
    s, b = hand.weights(channels), hand.weights(channels)
    tops = [hand.blank(*shape) for _ in range(4)]
    kernel.forward(x, s, b, tops[0])
    kernel.forward(x, None, b, tops[1], rectify=True)
    ds, db, alone = hand.ones(channels), hand.ones(channels), hand.ones(channels)
    kernel.backward(dy, x, s, tops[2], ds, db)
    kernel.backward(dy, None, None, tops[3], None, alone)
    kernel.backward(dy, x, s, dy, None, None)
    rectified = [hand.blank(*shape), hand.ones(channels), hand.ones(channels)]
    kernel.backward(hand.drawn(*shape), x, s, *rectified, y=tops[1])
    one, other = hand.blank(*shape), hand.ones(channels)
    kernel.backward(hand.drawn(*shape), None, s, one, None, None, y=tops[1])
    kernel.backward(hand.drawn(*shape), None, None, None, None, other, y=tops[1])
    return hand.back(*tops, ds, db, alone, dy, *rectified, one, other)


def leaning(hand: Hand, shape: tuple[int, int, int]) -> list[np.ndarray]:
    kernel, a = hand.make(ParametricRectifier, *shape), hand.weights(shape[1])
    x, dy = hand.drawn(*shape), hand.drawn(*shape)
    y, dx, da, alone = (
        hand.blank(*shape),
        hand.blank(*shape),
        hand.ones(shape[1]),
        hand.ones(shape[1]),
    )
    kernel.forward(x, a, y)
    kernel.backward(dy, x, a, dx, da)
    kernel.backward(dy, x, a, None, alone)
    kernel.backward(dy, x, a, dy, None)
    kernel.forward(x, a, x)
    return hand.back(y, dx, da, alone, dy, x)


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


@needs_compiler
@TYPES
@EACH
def test_leaning_meets_the_definition(dtype: str, shape: tuple[int, int, int]) -> None:
    assert_meets(leaning, EmulatedDevice(), dtype, shape)


@pytest.mark.gpu
@TYPES
@EACH
def test_leaning_on_a_gpu_meets_the_definition(dtype: str, shape: tuple[int, int, int]) -> None:
    assert_meets(leaning, Device("cuda:0"), dtype, shape)
