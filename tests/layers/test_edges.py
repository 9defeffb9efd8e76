"""Losses of edge maps, beside the sums written out."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness, check_gradients

TEXT = 'type: "SigmoidCrossEntropyBalanceLoss"'
SHAPE = (3, 2, 4, 5)


def values() -> tuple[np.ndarray, np.ndarray]:
    """Scores and targets; the second item has no edge, and some values are left out."""
    rng = np.random.default_rng(4)
    x, t = rng.normal(size=SHAPE) * 3, rng.choice([0.0, 1.0, 2.0], SHAPE, p=[0.7, 0.2, 0.1])
    t[1][t[1] == 1] = 0
    return x, t


def test_the_loss_and_its_gradient_are_those_of_the_paper() -> None:
    x, t = values()
    harness = LayerHarness(TEXT, [x, t], dtype=np.float64)
    (loss,) = harness.forward()
    slope = harness.backward([2.0])[0]
    total, expected = 0.0, np.zeros(SHAPE)
    for n in range(SHAPE[0]):
        edges, rest = (t[n] == 1).sum(), (t[n] == 0).sum()
        for place in np.ndindex(*SHAPE[1:]):
            value, target = x[n][place], t[n][place]
            if target not in (0, 1):
                continue
            weight = (rest if target else edges) / (edges + rest)
            p = 1 / (1 + np.exp(-value))
            total -= weight * np.log(p if target else 1 - p) / SHAPE[0]
            expected[n][place] = 2 * weight * (p - target) / SHAPE[0]
    np.testing.assert_allclose(float(loss), total, rtol=1e-12)
    np.testing.assert_allclose(slope, expected, rtol=1e-10, atol=1e-15)


def test_the_gradient_is_that_of_differences() -> None:
    x, t = values()
    check_gradients(TEXT, [x, t])


def test_nothing_to_count_is_no_loss() -> None:
    harness = LayerHarness(TEXT, [np.ones((1, 4)), np.full((1, 4), 255.0)], dtype=np.float64)
    assert float(harness.forward()[0]) == 0
    np.testing.assert_array_equal(harness.backward([1.0])[0], 0)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((2, 3), (3, 2)), "expected a target for each value of 2x3, got 3x2"),
        (((2, 3), (2, 4)), "expected a target for each value of 2x3, got 2x4"),
        (((), (2,)), "expected at least 1 axis, got a scalar"),
    ],
)
def test_shapes_that_do_not_fit(shapes: tuple[tuple[int, ...], ...], message: str) -> None:
    with pytest.raises(LayerError, match=message):
        LayerHarness(TEXT, [np.zeros(shape) for shape in shapes])
