"""MatMul."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness

A = np.arange(6.0).reshape(2, 3)
B = np.array([[1.0, 0, 2, 1], [0, 1, 0, -1], [3, 0, 0, 2]])


@pytest.mark.parametrize("turn_a", [False, True])
@pytest.mark.parametrize("turn_b", [False, True])
def test_products_and_their_gradients(turn_a: bool, turn_b: bool) -> None:
    a, b = A.T if turn_a else A, B.T if turn_b else B
    fields = f"transpose_a: {str(turn_a).lower()} transpose_b: {str(turn_b).lower()}"
    harness = LayerHarness(f'type: "MatMul" mat_mul_param {{ {fields} }}', [a, b])
    np.testing.assert_array_equal(harness.forward()[0], A @ B)
    dy = np.arange(8.0).reshape(2, 4)
    da, db = harness.backward([dy])
    np.testing.assert_array_equal(da, (dy @ B.T).T if turn_a else dy @ B.T)
    np.testing.assert_array_equal(db, (A.T @ dy).T if turn_b else A.T @ dy)
    harness.dbottoms = [None, None]
    assert harness.backward([dy]) == [None, None]


@pytest.mark.parametrize(
    ("a", "b", "message", "place"),
    [
        ((3,), (3, 2), "expected matrices in 'x0', at least 2 axes, got 3", 0),
        ((2, 3, 4), (3, 4, 5), "expected a matrix in 'x1' for each of 'x0' 2x3x4, got 3x4x5", 1),
        ((2, 3, 4), (2, 5, 6), "expected matrices with 4 rows in 'x1', as 'x0' 2x3x4 has", 1),
    ],
)
def test_matrices_that_do_not_fit(
    a: tuple[int, ...], b: tuple[int, ...], message: str, place: int
) -> None:
    with pytest.raises(LayerError, match=message) as caught:
        LayerHarness('type: "MatMul"', [np.ones(a), np.ones(b)])
    assert caught.value.path == ("bottom", place)
