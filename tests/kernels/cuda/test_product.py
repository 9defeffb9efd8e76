"""Products of a GPU beside the definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels.product import Product
from tests.kernels.cuda.emulation import EmulatedDevice, needs_compiler
from tests.kernels.cuda.passes import Hand, assert_same

SHAPES = [(10, 250, 2), (1, 70, 9), (17, 30, 45), (3, 1, 1)]
EACH = pytest.mark.parametrize("shape", SHAPES, ids=str)
TURNED = pytest.mark.parametrize("turned", [False, True])


def passes(
    device: Device, dtype: Any, shape: tuple[int, int, int], turned: bool
) -> list[np.ndarray]:
    hand, (rows, inputs, outputs) = Hand(device, dtype), shape
    kernel = Product.make(device, dtype, *shape, turned)
    x, dy, bias = hand.drawn(rows, inputs), hand.drawn(rows, outputs), hand.drawn(outputs)
    w = hand.drawn(inputs, outputs) if turned else hand.drawn(outputs, inputs)
    y, rectified = hand.blank(rows, outputs), hand.blank(rows, outputs)
    dx, dw = hand.blank(rows, inputs), hand.ones(*w.shape)
    kernel.forward(x, w, None, y)
    kernel.forward(x, w, bias, rectified, rectify=True)
    kernel.backward(dy, w, dx)
    kernel.learn(dy, x, dw)
    more = hand.ones(rows, outputs)
    kernel.accumulate(x, w, more)
    return hand.back(y, rectified, dx, dw, more)


@needs_compiler
@EACH
@TURNED
def test_meets_the_definition(shape: tuple[int, int, int], turned: bool) -> None:
    expected = passes(Device("cpu", tuned=False), np.float64, shape, turned)
    assert_same(passes(EmulatedDevice(), np.float32, shape, turned), expected)


@pytest.mark.gpu
@EACH
@TURNED
def test_a_gpu_meets_the_definition(shape: tuple[int, int, int], turned: bool) -> None:
    expected = passes(Device("cpu", tuned=False), np.float64, shape, turned)
    assert_same(passes(Device("cuda:0"), np.float32, shape, turned), expected)
