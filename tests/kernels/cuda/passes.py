"""Runs of one kernel after another, on any device: what tests compare."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.precision import PRECISIONS, is_low_precision, real_of, type_of

TYPES = pytest.mark.parametrize("dtype", PRECISIONS)
"""Those of values."""

PLACES = {"float16": 11, "bfloat16": 8}
"""Binary digits of a value."""


class Hand:
    """Hands arrays to a device and takes them back; draws the same numbers for every device.

    Args:
        device: where the arrays live.
        dtype: of values; parameters and sums are float32 beside 16 bits.
        rounded: the type to which drawn values are rounded, whatever they are kept in.
        shift: how many elements into their memory arrays begin. Where they do not begin at a
            multiple of 16 bytes, kernels read elements one by one.
    """

    def __init__(
        self,
        device: Device,
        dtype: Any = np.float32,
        rounded: Any = np.float32,
        shift: int = 0,
    ) -> None:
        self.device, self.dtype, self.real = device, np.dtype(dtype), real_of(dtype)
        self._cast_weights, self._shift = np.dtype(rounded), shift
        self._generator = np.random.default_rng(7)

    def make(self, kernel: Any, *args: Any, **more: Any) -> Any:
        """A kernel for the device and the type of values; a tuned one, but on a CPU."""
        made = kernel.make(self.device, self.dtype, *args, **more)
        assert self.device.is_cpu or made.processor == "cuda"
        return made

    def drawn(self, *shape: int) -> Any:
        """Values around 0."""
        numbers = self._generator.normal(size=shape).astype(np.float32)
        return self.given(numbers.astype(self._cast_weights))

    def weights(self, *shape: int) -> Any:
        """Parameters around 0, the same in float32 and float64."""
        return self.given(self._generator.normal(size=shape).astype(np.float32), self.real)

    def given(self, values: Any, dtype: Any = None) -> Any:
        """These values."""
        host = np.asarray(values).astype(self.dtype if dtype is None else dtype)
        memory = self.device.empty((self._shift + host.size,), host.dtype)
        out = memory[self._shift :].reshape(host.shape)
        self.device.put(host, out)
        return out

    def blank(self, *shape: int) -> Any:
        """Values that must be written."""
        return self.given(np.full(shape, np.nan))

    def unknown(self, *shape: int) -> Any:
        """Statistics that must be written."""
        return self.given(np.full(shape, np.nan), self.real)

    def ones(self, *shape: int) -> Any:
        """Gradients of parameters, which are added to."""
        return self.given(np.ones(shape), self.real)

    def back(self, *arrays: Any) -> list[np.ndarray]:
        """Copies on the host."""
        return [np.array(self.device.get(array)) for array in arrays]


def assert_meets(
    passes: Callable[..., list[np.ndarray]],
    device: Device,
    dtype: str,
    *case: Any,
    rtol: float = 4e-6,
    shifts: tuple[int, ...] = (0, 1),
) -> None:
    """Hold what passes give on a device, with values of a type, to the definition's in float64,
    which is given the same numbers; with arrays that begin at multiples of 16 bytes, and behind.
    """
    rounded = type_of(dtype)
    expected = passes(Hand(Device("cpu", tuned=False), np.float64, rounded), *case)
    for shift in shifts:
        assert_same(passes(Hand(device, rounded, rounded, shift), *case), expected, rtol)


def assert_same(
    found: list[np.ndarray], expected: list[np.ndarray], rtol: float = 4e-6, units: float = 3
) -> None:
    """Every array is the other's within a share of its largest value; in 16 bits, within so many
    units of half the last digit of that.
    """
    for place, (one, other) in enumerate(zip(found, expected, strict=True)):
        share = units * 2.0 ** -PLACES[one.dtype.name] if is_low_precision(one.dtype) else rtol
        bound = share * max(1e-30, np.abs(other).max(initial=0))
        numbers = one.astype(np.float64) if is_low_precision(one.dtype) else one
        np.testing.assert_allclose(numbers, other, rtol=0, atol=bound, err_msg=f"result {place}")
