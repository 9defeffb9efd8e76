"""Dropout on a GPU beside the definition, with the same numbers."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels.dropout import Drop
from protonet.kernels.random_stream import RandomStream
from protonet.ranks.communicator import Part
from tests.kernels.cuda.emulation import EmulatedDevice, needs_compiler
from tests.kernels.cuda.passes import TYPES, Hand, assert_meets

SHAPES = pytest.mark.parametrize("shape", [(3,), (2, 4), (3, 5, 71)])


PARTS = (Part(0, 3, 7), Part(4, 3, 7), Part(2, 3, 9, 3))
"""Of batches of 7 and 9: numbers that begin within a block, and items dealt out one by one."""


def passes(hand: Hand, shape: tuple[int, ...], part: Part | None = None) -> list[np.ndarray]:
    stream = RandomStream(hand.device, 9, "drop", part=part)
    kernel = hand.make(Drop, shape, 0.4)
    found = []
    for iteration in (0, 5):
        stream.clock.iteration = iteration
        x, dy, y, dx = hand.drawn(*shape), hand.drawn(*shape), *(hand.blank(*shape) for _ in "yx")
        kernel.forward(x, y, stream)
        kernel.backward(dy, dx)
        found += hand.back(y, dx)
    return found


@needs_compiler
@TYPES
@SHAPES
def test_meets_the_definition(dtype: str, shape: tuple[int, ...]) -> None:
    assert_meets(passes, EmulatedDevice(), dtype, shape)


@needs_compiler
@TYPES
@pytest.mark.parametrize("shape", [(3, 7), (3, 5, 71), (4, 5)])
@pytest.mark.parametrize("part", PARTS)
def test_a_part_of_a_batch_has_its_own_numbers(
    dtype: str, shape: tuple[int, ...], part: Part
) -> None:
    """Those of its items; an array with another first axis has the same on all ranks."""
    assert_meets(passes, EmulatedDevice(), dtype, shape, part)


@pytest.mark.gpu
@TYPES
@pytest.mark.parametrize("part", PARTS)
def test_a_part_on_a_gpu(dtype: str, part: Part) -> None:
    assert_meets(passes, Device("cuda:0"), dtype, (3, 5, 71), part)


@pytest.mark.gpu
@TYPES
@SHAPES
def test_a_gpu_meets_the_definition(dtype: str, shape: tuple[int, ...]) -> None:
    assert_meets(passes, Device("cuda:0"), dtype, shape)
