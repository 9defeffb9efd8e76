"""Groups of rectangles: those of OpenCV 4.14, whose answers are written down here."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.kernels.grouping import group_rectangles

Rows = list[list[int]]
NESTED = [
    *[[10, 10, 40, 40]] * 5,
    [11, 11, 40, 39],
    *[[18, 18, 12, 12]] * 2,
    *[[60, 60, 8, 8]] * 3,
]
CHAIN = [
    [14, 6, 7, 32], [20, 22, 10, 31], [16, 6, 10, 30], [14, 8, 9, 29], [14, 4, 10, 31],
    [19, 13, 14, 15], [15, 5, 9, 33], [15, 7, 7, 31], [20, 24, 7, 32], [13, 8, 8, 31],
    [20, 10, 14, 19], [18, 13, 12, 16],
]  # fmt: skip
TWO = [
    [10, 19, 14, 31], [7, 22, 15, 31], [10, 22, 13, 32], [19, 15, 34, 14], [16, 15, 32, 15],
    [18, 12, 32, 16], [6, 21, 15, 34], [18, 13, 35, 14],
]  # fmt: skip
LONE = [
    [-1, 26, 37, 11], [1, 26, 37, 8], [1, 24, 40, 10], [1, 22, 41, 9], [2, 23, 38, 11],
    [16, 6, 25, 22], [-2, 26, 38, 8], [14, 17, 18, 22], [17, 6, 27, 22], [1, 22, 37, 9],
    [-1, 24, 41, 8], [14, 14, 15, 22],
]  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "threshold", "eps", "groups", "sizes"),
    [
        (LONE, 1, 0.1, [[1, 24, 39, 9]], [6]),
        (TWO, 1, 0.2, [[8, 21, 14, 32], [18, 14, 33, 15]], [4, 4]),
        (CHAIN, 1, 0.4, [[14, 6, 9, 31], [20, 23, 8, 32], [19, 12, 13, 17]], [7, 2, 3]),
        (NESTED, 1, 0.2, [[10, 10, 40, 40], [60, 60, 8, 8]], [6, 3]),
    ],
)
def test_groups_are_those_of_opencv(
    rows: Rows, threshold: int, eps: float, groups: Rows, sizes: list[int]
) -> None:
    found, counts = group_rectangles(np.array(rows), threshold, eps)
    assert found.tolist() == groups
    assert counts.tolist() == sizes


def test_without_a_threshold_nothing_is_grouped() -> None:
    found, counts = group_rectangles(np.array(TWO), 0, 0.5)
    assert found.tolist() == TWO
    assert counts.tolist() == [1] * len(TWO)


def test_nothing_and_too_few() -> None:
    for rows in (np.zeros((0, 4), int), np.array([[1, 2, 3, 4]])):
        found, counts = group_rectangles(rows, 1, 0.1)
        assert (found.shape, counts.shape) == ((0, 4), (0,))
