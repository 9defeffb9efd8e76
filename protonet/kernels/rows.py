"""Rows of an array, taken and added to by index."""

from __future__ import annotations

from typing import Any

import numpy as np

from protonet.blob import Array


def take_rows(xp: Any, x: Array, rows: Array, y: Array) -> None:
    """Write ``y[i] = x[rows[i]]``; ``rows`` is a vector of integers in range."""
    if xp is np:
        # Any other mode than the default writes to y without a buffer of its size.
        np.take(x, rows, axis=0, out=y, mode="clip")
    else:
        xp.take(x, rows, axis=0, out=y)


def add_rows(xp: Any, dx: Array, rows: Array, dy: Array) -> None:
    """Add ``dy[i]`` to ``dx[rows[i]]`` for every i; a row may come several times.

    On a GPU the sums of such a row are made in no fixed order.
    """
    if xp is np:
        for place in range(rows.size):
            row = dx[rows[place], ...]
            np.add(row, dy[place], out=row)
    else:
        xp.add.at(dx, rows, dy)
