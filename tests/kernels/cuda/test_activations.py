"""Activations on a GPU beside the definitions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels.activations import (
    ELU,
    Absolute,
    Activation,
    Bounds,
    Rectifier,
    Sigmoid,
    Softplus,
    Swish,
    TanH,
)
from tests.kernels.cuda.emulation import EmulatedDevice, needs_compiler
from tests.kernels.cuda.passes import TYPES, Hand, assert_meets

# what is made, of which numbers, and which of x and y its gradient reads
CASES: list[tuple[type[Activation], tuple[Any, ...], str]] = [
    (Rectifier, (0.0,), "x"),
    (Rectifier, (0.1,), "x"),
    (Rectifier, (-0.5,), "x"),
    (Bounds, (-0.5, 0.75, False), "x"),
    (Bounds, (-0.5, 0.75, True), "x"),
    (ELU, (1.5,), "yx"),
    (ELU, (-0.5,), "yx"),
    (Swish, (1.0,), "x"),
    (Swish, (-2.0,), "x"),
    (Sigmoid, (), "y"),
    (TanH, (), "y"),
    (Softplus, (), "y"),
    (Absolute, (), "x"),
]
EACH = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0].__name__}{case[1]}")


def passes(hand: Hand, case: Any) -> list[np.ndarray]:
    (family, numbers, reads), shape = case, (3, 5, 71)
    kernel = hand.make(family, shape, *numbers)
    x, dy, y, dx = hand.drawn(*shape), hand.drawn(*shape), hand.blank(*shape), hand.blank(*shape)
    kernel.forward(x, y)
    given = [{"x": x, "y": y}[each] for each in reads]
    kernel.backward(dy, *given, dx)
    kernel.backward(dy, *given, dy)
    kernel.forward(x, x)
    return hand.back(y, dx, dy, x)


@needs_compiler
@TYPES
@EACH
def test_meets_the_definition(dtype: str, case: Any) -> None:
    assert_meets(passes, EmulatedDevice(), dtype, case)


@pytest.mark.gpu
@TYPES
@EACH
def test_a_gpu_meets_the_definition(dtype: str, case: Any) -> None:
    assert_meets(passes, Device("cuda:0"), dtype, case)
