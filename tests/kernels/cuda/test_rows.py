"""Rows added by index on a GPU beside the definition."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels.rows import AddRows
from tests.kernels.cuda.emulation import EmulatedDevice, needs_compiler
from tests.kernels.cuda.passes import Hand, assert_meets


def passes(hand: Hand) -> list[np.ndarray]:
    device, (count, length) = hand.device, (29, 37)
    kernel = hand.make(AddRows, count, length)
    rows = device.empty((count,), np.int64)
    device.put(np.arange(count) ** 2 % 11, rows)
    dx = hand.ones(13, length)
    kernel.add(dx, rows, hand.drawn(count, length))
    return hand.back(dx)


@needs_compiler
def test_meets_the_definition() -> None:
    assert_meets(passes, EmulatedDevice(), "float32")


@pytest.mark.gpu
def test_a_gpu_meets_the_definition() -> None:
    assert_meets(passes, Device("cuda:0"), "float32")


@needs_compiler
def test_rows_that_are_not_there_are_passed_over() -> None:
    hand = Hand(EmulatedDevice())
    whole, rows = hand.ones(5, 2), hand.given([-1, 3, 1], np.int64)
    hand.make(AddRows, 3, 2).add(whole[1:4], rows, hand.ones(3, 2))
    np.testing.assert_array_equal(whole[:, 0], [1, 1, 2, 1, 1])
