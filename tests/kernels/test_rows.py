"""Rows by index against the textbook."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels.rows import AddRows, take_rows

ROWS = np.array([2, 0, 2, 1, 2])


@pytest.mark.parametrize("shape", [(3,), (3, 4), (3, 2, 5)])
def test_rows_are_taken_and_added_to(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).standard_normal(shape)
    y = np.empty((5, *shape[1:]))
    take_rows(np, x, ROWS, y)
    np.testing.assert_array_equal(y, x[ROWS])
    dx = np.ones(shape)
    AddRows.make(Device(), np.float64, 5, int(np.prod(shape[1:]))).add(dx, ROWS, y)
    np.testing.assert_allclose(dx, 1 + x * np.array([1, 1, 3]).reshape(3, *(1,) * (x.ndim - 1)))
