"""Add and Mul."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness


@pytest.mark.parametrize(
    ("a", "b"), [((2, 3, 4), (2, 3, 4)), ((2, 3, 4), (3, 1)), ((4,), (2, 3, 1)), ((2, 3), ())]
)
@pytest.mark.parametrize("kind", ["Add", "Mul"])
def test_values_and_gradients(kind: str, a: tuple[int, ...], b: tuple[int, ...]) -> None:
    generator = np.random.default_rng(4)
    x, y = generator.standard_normal(a), np.asarray(generator.standard_normal(b))
    harness = LayerHarness(f'type: "{kind}" bottom: "a" bottom: "b"', [x, y], dtype=float)
    (top,) = harness.forward()
    np.testing.assert_allclose(top, x + y if kind == "Add" else x * y)
    dy = generator.standard_normal(top.shape)
    for found, own, other in zip(harness.backward([dy]), (x, y), (y, x), strict=True):
        slope = dy if kind == "Add" else dy * other
        missing = tuple(range(top.ndim - own.ndim))
        slope = slope.sum(axis=missing)
        repeated = tuple(i for i, extent in enumerate(own.shape) if slope.shape[i] != extent)
        np.testing.assert_allclose(found, slope.sum(axis=repeated, keepdims=True))


def test_extents_that_do_not_fit() -> None:
    with pytest.raises(LayerError, match=r"expected equal extents, or 1, .* got 'a' 2x3 and 'b' 2"):
        LayerHarness('type: "Add" bottom: "a" bottom: "b"', [np.zeros((2, 3)), np.zeros(2)])
