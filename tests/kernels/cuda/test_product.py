"""Products of a GPU beside the definition."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels.product import Product
from tests.kernels.cuda.emulation import EmulatedDevice, needs_compiler
from tests.kernels.cuda.passes import TYPES, Hand, assert_meets

SHAPES = [(10, 250, 2), (1, 70, 9), (17, 30, 45), (3, 1, 1)]
EACH = pytest.mark.parametrize("shape", SHAPES, ids=str)
TURNED = pytest.mark.parametrize("turned", [False, True])


def passes(hand: Hand, shape: tuple[int, int, int], turned: bool) -> list[np.ndarray]:
    rows, inputs, outputs = shape
    kernel = hand.make(Product, *shape, turned)
    x, dy, bias = hand.drawn(rows, inputs), hand.drawn(rows, outputs), hand.weights(outputs)
    w = hand.weights(*((inputs, outputs) if turned else (outputs, inputs)))
    y, rectified = hand.blank(rows, outputs), hand.blank(rows, outputs)
    dx, dw = hand.blank(rows, inputs), hand.ones(*w.shape)
    kernel.forward(x, w, None, y)
    kernel.forward(x, w, bias, rectified, rectify=True)
    kernel.backward(dy, w, dx)
    kernel.learn(dy, x, dw)
    more = hand.given(np.ones((rows, outputs)))
    kernel.accumulate(x, w, more)
    return hand.back(y, rectified, dx, dw, more)


@needs_compiler
@TYPES
@EACH
@TURNED
def test_meets_the_definition(dtype: str, shape: tuple[int, int, int], turned: bool) -> None:
    assert_meets(passes, EmulatedDevice(), dtype, shape, turned)


@pytest.mark.gpu
@TYPES
@EACH
@TURNED
def test_a_gpu_meets_the_definition(dtype: str, shape: tuple[int, int, int], turned: bool) -> None:
    assert_meets(passes, Device("cuda:0"), dtype, shape, turned)
