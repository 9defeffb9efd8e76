"""Products of a GPU beside the definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels.product import BatchProduct, Product
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


def batches(device: Device, dtype: Any) -> list[np.ndarray]:
    hand, (batch, rows, inner, columns) = Hand(device, dtype), (4, 3, 7, 5)
    kernel = BatchProduct.make(device, dtype, batch, rows, inner, columns)
    c, left, right, both = (hand.blank(batch, rows, columns) for _ in range(4))
    kernel.forward(hand.drawn(batch, rows, inner), hand.drawn(batch, inner, columns), c)
    kernel.forward(hand.drawn(rows, inner), hand.drawn(batch, inner, columns), left)
    kernel.forward(
        hand.drawn(batch, rows, inner), hand.drawn(columns, inner), right, b_turned=True
    )
    kernel.forward(
        hand.drawn(inner, rows), hand.drawn(batch, columns, inner), both,
        a_turned=True, b_turned=True,
    )  # fmt: skip
    return hand.back(c, left, right, both)


@needs_compiler
def test_batches_meet_the_definition() -> None:
    expected = batches(Device("cpu", tuned=False), np.float64)
    assert_same(batches(EmulatedDevice(), np.float32), expected)


@pytest.mark.gpu
def test_batches_of_a_gpu_meet_the_definition() -> None:
    expected = batches(Device("cpu", tuned=False), np.float64)
    assert_same(batches(Device("cuda:0"), np.float32), expected)
