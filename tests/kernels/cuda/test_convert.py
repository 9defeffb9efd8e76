"""Values of 16 bits on a GPU beside the definition, bit by bit."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels.convert import Convert
from protonet.kernels.cuda.convert import CudaConvert
from protonet.precision import type_of
from tests.kernels.cuda.emulation import EmulatedDevice, needs_compiler
from tests.kernels.test_convert import ROUNDED, check_rounding

EACH = pytest.mark.parametrize("name", ROUNDED)


@needs_compiler
@EACH
def test_numbers_are_rounded_to_the_nearest(name: str) -> None:
    check_rounding(EmulatedDevice(), name)


@pytest.mark.gpu
@EACH
def test_a_gpu_rounds_to_the_nearest(name: str) -> None:
    check_rounding(Device("cuda:0"), name)


def check_all(device: Device, name: str) -> None:
    """Hold both directions to the definition for every value, and for numbers between them."""
    every = np.arange(1 << 16, dtype=np.uint16).view(type_of(name))
    between = np.arange(0, 1 << 32, 8191, dtype=np.uint64).astype(np.uint32).view(np.float32)
    kernel = Convert.make(device, type_of(name), every.size)
    assert isinstance(kernel, CudaConvert)
    values, wide = device.empty(every.shape, every.dtype), device.empty(every.shape)
    device.put(every, values)
    kernel.widen(values, wide)
    expected = every.astype(np.float32)
    np.testing.assert_array_equal(device.get(wide), expected)
    numbers, narrow = device.empty(between.shape), device.empty(between.shape, every.dtype)
    device.put(between, numbers)
    Convert.make(device, type_of(name), between.size).narrow(numbers, narrow)
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = between.astype(every.dtype).astype(np.float32)
    np.testing.assert_array_equal(np.array(device.get(narrow)).astype(np.float32), rounded)


@needs_compiler
@EACH
def test_all_values_meet_the_definition(name: str) -> None:
    check_all(EmulatedDevice(), name)


@pytest.mark.gpu
@EACH
def test_all_values_of_a_gpu_meet_the_definition(name: str) -> None:
    check_all(Device("cuda:0"), name)
