"""Powers, exponentials and logarithms on a GPU beside the definitions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels.activations import Activation
from protonet.kernels.powers import Exponential, Logarithm, Power
from tests.kernels.cuda.emulation import EmulatedDevice, needs_compiler
from tests.kernels.cuda.passes import TYPES, Hand, assert_meets

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


def passes(hand: Hand, case: Any) -> list[np.ndarray]:
    (family, numbers, reads), shape = case, (3, 5, 71)
    kernel = hand.make(family, shape, *numbers)
    x, dy, y, dx = hand.drawn(*shape), hand.drawn(*shape), hand.blank(*shape), hand.blank(*shape)
    kernel.forward(x, y)
    kernel.backward(dy, {"x": x, "y": y}[reads], dx)
    kernel.backward(dy, {"x": x, "y": y}[reads], dy)
    kernel.forward(x, x)
    return hand.back(y, dx, dy, x)


def rectified(hand: Hand) -> list[np.ndarray]:
    shape = (3, 5, 71)
    kernel = hand.make(Power, shape, 1.0, -2.0, 0.5)
    x, y, dx = hand.drawn(*shape), hand.blank(*shape), hand.blank(*shape)
    kernel.forward(x, y, rectify=True)
    kernel.backward(hand.drawn(*shape), x, dx, y=y)
    return hand.back(y, dx)


@needs_compiler
@TYPES
@EACH
def test_meets_the_definition(dtype: str, case: Any) -> None:
    assert_meets(passes, EmulatedDevice(), dtype, case)


@needs_compiler
@TYPES
def test_rectified_lines_meet_the_definition(dtype: str) -> None:
    assert_meets(rectified, EmulatedDevice(), dtype)


@pytest.mark.gpu
@TYPES
@EACH
def test_a_gpu_meets_the_definition(dtype: str, case: Any) -> None:
    assert_meets(passes, Device("cuda:0"), dtype, case)


@pytest.mark.gpu
@TYPES
def test_rectified_lines_of_a_gpu_meet_the_definition(dtype: str) -> None:
    assert_meets(rectified, Device("cuda:0"), dtype)
