"""Kernels of single elements beside their definitions."""

from __future__ import annotations

from typing import Any

import numpy as np

from protonet.kernels.activations import Activation
from tests.kernels.instructions import both


def passes(kernel: Any, dtype: Any, size: int, reads: str) -> list[np.ndarray]:
    """y and dx, which are the same in place; ``reads`` names what backward reads beside dy."""
    generator = np.random.default_rng(3)
    x = np.round(3 * generator.normal(size=size), 3).astype(np.float32).astype(dtype)
    x[::7] = 0
    dy, (y, dx) = generator.normal(size=size).astype(dtype), np.full((2, size), np.nan, dtype)
    kernel.forward(x, y)
    read = [y if name == "y" else x for name in reads]
    kernel.backward(dy, *read, dx)
    kernel.backward(dy, *read, dy)
    np.testing.assert_array_equal(dy, dx)
    in_place = x.copy()
    kernel.forward(in_place, in_place)
    np.testing.assert_array_equal(in_place, y)
    return [y, dx]


def check_elements(
    kind: type[Activation], size: int, arguments: tuple[Any, ...], reads: str
) -> None:
    """Hold the kernel for this machine to the definition in float64."""
    tuned, definition = both(kind, (size,), *arguments)
    for found, expected in zip(
        passes(tuned, np.float32, size, reads),
        passes(definition, np.float64, size, reads),
        strict=True,
    ):
        np.testing.assert_allclose(found, expected, rtol=2e-6, atol=1e-6)
