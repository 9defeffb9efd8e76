"""Values of 16 bits from those of float32, as defined."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels.convert import Convert
from protonet.precision import type_of

# the value, and what it becomes: half of the last digit is rounded to the even
ROUNDED = {
    "float16": [
        (1.0, 1.0),
        (1 + 2**-11, 1.0),
        (1 + 3 * 2**-11, 1 + 2**-9),
        (1 + 2**-11 + 2**-23, 1 + 2**-10),
        (65519.996, 65504.0),
        (65520.0, np.inf),
        (-1e30, -np.inf),
        (2**-24, 2**-24),
        (2**-25, 0.0),
        (3 * 2**-25, 2**-23),
        (2**-14 - 2**-25, 2**-14),
        (-(2**-26), -0.0),
        (-np.inf, -np.inf),
        (np.nan, np.nan),
    ],
    "bfloat16": [
        (1.0, 1.0),
        (1 + 2**-8, 1.0),
        (1 + 3 * 2**-8, 1 + 2**-6),
        (1 + 2**-8 + 2**-23, 1 + 2**-7),
        (3.4e38, np.inf),
        (-(2.0**100) * (1 + 2**-7 + 2**-9), -(2.0**100) * (1 + 2**-7)),
        (2**-133, 2**-133),
        (2**-134, 0.0),
        (3 * 2**-134, 2**-132),
        (-0.0, -0.0),
        (-np.inf, -np.inf),
        (np.nan, np.nan),
    ],
}
"""Halves, the largest, subnormal numbers, and what is no number."""


def check_rounding(device: Device, name: str) -> None:
    """Hold what a device makes of numbers to those written above."""
    given, expected = np.array(ROUNDED[name], np.float64).T
    x = device.empty(given.shape)
    device.put(given.astype(np.float32), x)
    y, back = device.empty(given.shape, type_of(name)), device.empty(given.shape)
    kernel = Convert.make(device, type_of(name), given.size)
    kernel.narrow(x, y)
    kernel.widen(y, back)
    found = device.get(back)
    np.testing.assert_array_equal(found, expected.astype(np.float32))
    np.testing.assert_array_equal(np.signbit(found[:-1]), np.signbit(expected[:-1]))


@pytest.mark.parametrize("name", ROUNDED)
def test_numbers_are_rounded_to_the_nearest(name: str) -> None:
    check_rounding(Device("cpu"), name)


@pytest.mark.parametrize("name", ["float32", *ROUNDED])
def test_shapes_may_be_any(name: str) -> None:
    device = Device("cpu")
    kernel = Convert.make(device, type_of(name), 6)
    x, y = np.arange(6, dtype=np.float32).reshape(2, 3), np.empty((3, 1, 2), type_of(name))
    kernel.narrow(x, y)
    assert y.astype(np.float32).ravel().tolist() == x.ravel().tolist()
    back = np.empty(6, np.float32)
    kernel.widen(y, back)
    assert back.tolist() == x.ravel().tolist()
