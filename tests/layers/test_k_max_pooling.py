"""KMaxPooling: order, equal values and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness


def harness(text: str, x: np.ndarray) -> LayerHarness:
    return LayerHarness(f'type: "KMaxPooling" k_max_pooling_param {{ {text} }}', [x])


@pytest.mark.parametrize(("axis", "k"), [(0, 2), (1, 3), (-1, 6), (2, 1)])
def test_the_greatest_stay_in_their_order(axis: int, k: int) -> None:
    x = np.random.default_rng(1).standard_normal((4, 5, 6)).astype(np.float32)
    order = np.sort(np.argsort(-x, axis=axis).take(range(k), axis=axis), axis=axis)
    made = harness(f"k: {k} axis: {axis}", x)
    np.testing.assert_array_equal(made.forward()[0], np.take_along_axis(x, order, axis=axis))
    dy = np.arange(1.0, order.size + 1).reshape(order.shape)
    expected = np.zeros_like(x)
    np.put_along_axis(expected, order, dy, axis=axis)
    np.testing.assert_array_equal(made.backward([dy])[0], expected)


def test_the_first_of_equal_values_are_taken() -> None:
    made = harness("k: 2 axis: 0", np.array([1.0, 3, 3, 0, 3]))
    np.testing.assert_array_equal(made.forward()[0], [3, 3])
    np.testing.assert_array_equal(made.backward([np.array([5.0, 7])])[0], [0, 5, 7, 0, 0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "k_max_pooling_param needs k above 0"),
        ("k: 6", "expected k of at most 5, the extent of axis 1 of 2x5x3, got 6"),
        ("k: 2 axis: 3", "axis 3 is out of range"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(LayerError, match=message):
        harness(text, np.zeros((2, 5, 3)))
