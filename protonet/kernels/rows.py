"""Gather and scatter-add of rows by index."""

from __future__ import annotations

from typing import Any

import numpy as np

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels.kernel import Kernel


def take_rows(xp: Any, x: Array, rows: Array, y: Array) -> None:
    """Write ``y[i] = x[rows[i]]``; ``rows`` is a vector of integers in range."""
    if xp is np:
        # Any mode but the default writes to y without a buffer of its size.
        np.take(x, rows, axis=0, out=y, mode="clip")
    else:
        xp.take(x, rows, axis=0, out=y)


class AddRows(Kernel):
    """Dx[rows[i]] += dy[i] for ``count`` rows of ``length`` elements; indices may repeat."""

    def __init__(self, device: Device, dtype: Any, count: int, length: int) -> None:
        super().__init__(device, dtype)
        self._shape = (count, length)

    def add(self, dx: Array, rows: Array, dy: Array) -> None:
        """Add; in the order of i."""
        dx, dy = dx.reshape(-1, self._shape[1]), dy.reshape(self._shape)
        for place in range(self._shape[0]):
            row = dx[rows[place], ...]
            self.xp.add(row, dy[place], out=row)
