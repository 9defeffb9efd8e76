"""Products of a GPU beside the definition."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels.product import BatchProduct, Product
from tests.kernels.cuda.emulation import EmulatedDevice, needs_compiler
from tests.kernels.cuda.passes import TYPES, Hand, assert_meets

SHAPES = [(10, 250, 2), (1, 70, 9), (17, 30, 45), (3, 1, 1)]
EACH = pytest.mark.parametrize("shape", SHAPES, ids=str)
TRANSPOSED = pytest.mark.parametrize("transposed", [False, True])


def passes(hand: Hand, shape: tuple[int, int, int], transposed: bool) -> list[np.ndarray]:
    rows, inputs, outputs = shape
    kernel = hand.make(Product, *shape, transposed)
    x, dy, bias = hand.drawn(rows, inputs), hand.drawn(rows, outputs), hand.weights(outputs)
    w = hand.weights(*((inputs, outputs) if transposed else (outputs, inputs)))
    y, rectified = hand.blank(rows, outputs), hand.blank(rows, outputs)
    dx, dw = hand.blank(rows, inputs), hand.ones(*w.shape)
    kernel.forward(x, w, None, y)
    kernel.forward(x, w, bias, rectified, rectify=True)
    kernel.backward(dy, w, dx)
    kernel.learn(dy, x, dw)
    more = hand.given(np.ones((rows, outputs)))
    kernel.accumulate(x, w, more)
    anew = hand.ones(*w.shape)
    kernel.learn(dy, x, anew, add=False)
    return hand.back(y, rectified, dx, dw, more, anew)


@needs_compiler
@TYPES
@EACH
@TRANSPOSED
def test_meets_the_definition(dtype: str, shape: tuple[int, int, int], transposed: bool) -> None:
    assert_meets(passes, EmulatedDevice(), dtype, shape, transposed)


@pytest.mark.gpu
@TYPES
@EACH
@TRANSPOSED
def test_a_gpu_meets_the_definition(
    dtype: str, shape: tuple[int, int, int], transposed: bool
) -> None:
    assert_meets(passes, Device("cuda:0"), dtype, shape, transposed)


def batches(hand: Hand) -> list[np.ndarray]:
    batch, rows, inner, columns = 4, 3, 7, 5
    kernel = hand.make(BatchProduct, batch, rows, inner, columns)
    c, left, right, both = (hand.blank(batch, rows, columns) for _ in range(4))
    kernel.forward(hand.drawn(batch, rows, inner), hand.drawn(batch, inner, columns), c)
    kernel.forward(hand.drawn(rows, inner), hand.drawn(batch, inner, columns), left)
    kernel.forward(
        hand.drawn(batch, rows, inner), hand.drawn(columns, inner), right, transpose_b=True
    )
    kernel.forward(
        hand.drawn(inner, rows), hand.drawn(batch, columns, inner), both,
        transpose_a=True, transpose_b=True,
    )  # fmt: skip
    return hand.back(c, left, right, both)


@needs_compiler
@TYPES
def test_batches_meet_the_definition(dtype: str) -> None:
    assert_meets(batches, EmulatedDevice(), dtype)


@pytest.mark.gpu
@TYPES
def test_batches_of_a_gpu_meet_the_definition(dtype: str) -> None:
    assert_meets(batches, Device("cuda:0"), dtype)
