"""Compare."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness

X = np.array([[1.0, 2, 3], [-1, 2, np.inf]])


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("EQ", [[0, 1, 0], [0, 1, 0]]),
        ("NE", [[1, 0, 1], [1, 0, 1]]),
        ("LT", [[1, 0, 0], [1, 0, 0]]),
        ("LE", [[1, 1, 0], [1, 1, 0]]),
        ("GT", [[0, 0, 1], [0, 0, 1]]),
        ("GE", [[0, 1, 1], [0, 1, 1]]),
    ],
)
def test_with_a_value_and_with_a_bottom(operation: str, expected: list[list[int]]) -> None:
    text = f'type: "Compare" compare_param {{ operation: {operation} value: 2 }}'
    assert LayerHarness(text, [X]).forward()[0].tolist() == expected
    assert LayerHarness(text, [X, np.full((2, 3), 2)]).forward()[0].tolist() == expected


def test_equal_is_the_default() -> None:
    assert LayerHarness('type: "Compare"', [np.zeros(2)]).forward()[0].tolist() == [1, 1]


def test_what_is_refused() -> None:
    with pytest.raises(LayerError, match="one shape, got 2x3 and 3x2"):
        LayerHarness('type: "Compare"', [X, X.T])
    with pytest.raises(LayerError, match="cannot be part of the objective"):
        LayerHarness('type: "Compare" loss_weight: 1', [X])
