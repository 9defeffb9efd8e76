"""Softmax and its loss on a GPU beside the definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels.softmax import Softmax
from tests.kernels.cuda.emulation import EmulatedDevice, needs_compiler
from tests.kernels.cuda.passes import Hand, assert_same

SHAPES = pytest.mark.parametrize("shape", [(3, 2), (5, 10), (4, 1000), (2, 5, 7, 4), (2, 40, 3)])
SMOOTHING = pytest.mark.parametrize("smoothing", [0.0, 0.1])


def passes(
    device: Device, dtype: Any, shape: tuple[int, ...], smoothing: float
) -> list[np.ndarray]:
    hand, items = Hand(device, dtype), (shape[0], 1, *shape[2:])
    kernel = Softmax.make(device, dtype, shape, 1)
    x, dy = hand.drawn(*shape), hand.drawn(*shape)
    numbers = np.random.default_rng(5).integers(-1, shape[1] + 1, size=items)
    labels, valid = hand.given(numbers), hand.given(numbers != 1)
    factor, found = hand.given(0.3), []
    y, dx, p, back = (hand.blank(*shape) for _ in range(4))
    kernel.forward(x, y)
    kernel.backward(y, dy, dx)
    for counts in (valid, None):
        logs = hand.blank(*items)
        kernel.loss(x, labels, counts, smoothing, p, logs)
        kernel.loss_gradient(p, labels, counts, smoothing, factor, back)
        found += hand.back(p, logs, back)
    return [*found, *hand.back(y, dx)]


@needs_compiler
@SHAPES
@SMOOTHING
def test_meets_the_definition(shape: tuple[int, ...], smoothing: float) -> None:
    expected = passes(Device("cpu", tuned=False), np.float64, shape, smoothing)
    assert_same(passes(EmulatedDevice(), np.float32, shape, smoothing), expected, 1e-5)


@pytest.mark.gpu
@SHAPES
@SMOOTHING
def test_a_gpu_meets_the_definition(shape: tuple[int, ...], smoothing: float) -> None:
    expected = passes(Device("cpu", tuned=False), np.float64, shape, smoothing)
    assert_same(passes(Device("cuda:0"), np.float32, shape, smoothing), expected, 1e-5)


@needs_compiler
def test_what_is_no_number_stays_none() -> None:
    device = EmulatedDevice()
    hand = Hand(device)
    x = hand.given([[0.0, np.nan, 1.0], [0.0, 1.0, 2.0]])
    p, logs = hand.blank(2, 3), hand.blank(2, 1)
    Softmax.make(device, np.float32, (2, 3), 1).loss(x, hand.ones(2, 1), None, 0.0, p, logs)
    assert np.isnan(hand.back(logs)[0].ravel()).tolist() == [True, False]
