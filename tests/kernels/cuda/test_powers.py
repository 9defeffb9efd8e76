"""Powers, exponentials and logarithms on a GPU beside the definitions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels.activations import Activation
from protonet.kernels.powers import Exponential, Logarithm, Power
from tests.kernels.cuda.emulation import EmulatedDevice, needs_compiler
from tests.kernels.cuda.passes import Hand, assert_same

# what is made, of which numbers, and which of x and y its gradient reads
CASES: list[tuple[type[Activation], tuple[float, ...], str]] = [
    (Power, (1.0, -2.0, 0.5), "x"),
    (Power, (2.0, 0.5, -0.25), "x"),
    (Power, (3.0, 1.0, 0.0), "x"),
    (Power, (-0.5, 0.25, 2.0), "x"),
    (Exponential, (0.5, 3.0), "y"),
    (Logarithm, (0.25, 2.0, -1.5), "x"),
]
EACH = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0].__name__}{case[1]}")


def passes(device: Device, dtype: Any, case: Any) -> list[np.ndarray]:
    family, numbers, reads = case
    hand, shape = Hand(device, dtype), (3, 5, 71)
    kernel = family.make(device, dtype, shape, *numbers)
    x, dy, y, dx = hand.drawn(*shape), hand.drawn(*shape), hand.blank(*shape), hand.blank(*shape)
    kernel.forward(x, y)
    kernel.backward(dy, {"x": x, "y": y}[reads], dx)
    kernel.backward(dy, {"x": x, "y": y}[reads], dy)
    kernel.forward(x, x)
    return hand.back(y, dx, dy, x)


def rectified(device: Device, dtype: Any) -> list[np.ndarray]:
    hand, shape = Hand(device, dtype), (3, 5, 71)
    kernel = Power.make(device, dtype, shape, 1.0, -2.0, 0.5)
    x, y, dx = hand.drawn(*shape), hand.blank(*shape), hand.blank(*shape)
    kernel.forward(x, y, rectify=True)
    kernel.backward(hand.drawn(*shape), x, dx, y=y)
    return hand.back(y, dx)


@needs_compiler
@EACH
def test_meets_the_definition(case: Any) -> None:
    expected = passes(Device("cpu", tuned=False), np.float64, case)
    assert_same(passes(EmulatedDevice(), np.float32, case), expected)


@needs_compiler
def test_rectified_lines_meet_the_definition() -> None:
    expected = rectified(Device("cpu", tuned=False), np.float64)
    assert_same(rectified(EmulatedDevice(), np.float32), expected)


@pytest.mark.gpu
@EACH
def test_a_gpu_meets_the_definition(case: Any) -> None:
    expected = passes(Device("cpu", tuned=False), np.float64, case)
    assert_same(passes(Device("cuda:0"), np.float32, case), expected)


@pytest.mark.gpu
def test_rectified_lines_of_a_gpu_meet_the_definition() -> None:
    expected = rectified(Device("cpu", tuned=False), np.float64)
    assert_same(rectified(Device("cuda:0"), np.float32), expected)
