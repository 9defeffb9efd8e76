"""Runs of one kernel after another, on any device: what tests compare."""

from __future__ import annotations

from typing import Any

import numpy as np

from protonet.device import Device


class Hand:
    """Hands arrays to a device and takes them back; draws the same numbers for every device."""

    def __init__(self, device: Device, dtype: Any = np.float32) -> None:
        self.device, self.dtype = device, dtype
        self._generator = np.random.default_rng(7)

    def drawn(self, *shape: int) -> Any:
        """Numbers around 0, the same in float32 and float64."""
        return self.given(self._generator.normal(size=shape).astype(np.float32))

    def given(self, values: Any) -> Any:
        """These values."""
        host = np.asarray(values).astype(self.dtype)
        out = self.device.empty(host.shape, self.dtype)
        self.device.put(host, out)
        return out

    def blank(self, *shape: int) -> Any:
        """What must be written to."""
        return self.given(np.full(shape, np.nan))

    def ones(self, *shape: int) -> Any:
        """What is added to."""
        return self.given(np.ones(shape))

    def back(self, *arrays: Any) -> list[np.ndarray]:
        """Copies on the host."""
        return [np.array(self.device.get(array)) for array in arrays]


def assert_same(found: list[np.ndarray], expected: list[np.ndarray], rtol: float = 4e-6) -> None:
    """Every array is the other's within a share of its largest value."""
    for place, (one, other) in enumerate(zip(found, expected, strict=True)):
        bound = rtol * max(1e-30, np.abs(other).max(initial=0))
        np.testing.assert_allclose(one, other, rtol=0, atol=bound, err_msg=f"result {place}")
