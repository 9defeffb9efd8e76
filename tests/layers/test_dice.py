"""DiceCoefLoss."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness, check_gradients

TEXT = 'type: "DiceCoefLoss" bottom: "a" bottom: "b"'


def test_the_loss_by_its_formula() -> None:
    generator = np.random.default_rng(3)
    a, b = generator.uniform(size=(3, 2, 4)), generator.integers(0, 2, (3, 8)).astype(float)
    overlaps = [
        (2 * np.dot(x, y) + 1) / (np.dot(x, x) + np.dot(y, y) + 1)
        for x, y in zip(a.reshape(3, 8), b, strict=True)
    ]
    harness = LayerHarness(TEXT, [a, b], dtype=float)
    np.testing.assert_allclose(harness.forward()[0], 1 - np.mean(overlaps))


def test_equal_maps_cost_nothing_and_empty_ones_too() -> None:
    same = np.array([[1.0, 0, 1], [0, 0, 0]])
    harness = LayerHarness(TEXT, [same, same])
    assert harness.forward()[0] == 0
    da, db = harness.backward([1.0])
    assert da is not None
    assert db is not None
    assert not da.any()
    assert not db.any()


def test_both_gradients_by_differences() -> None:
    check_gradients(f'name: "l" {TEXT} top: "l"', [(3, 2, 5), (3, 10)])


def test_maps_that_do_not_fit_are_refused() -> None:
    with pytest.raises(LayerError, match=r"expected as many values per item in both bottoms"):
        LayerHarness(TEXT, [np.zeros((2, 3)), np.zeros((2, 4))])
