"""Local response normalization: edges and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness


def harness(text: str, x: np.ndarray) -> LayerHarness:
    return LayerHarness(f'type: "LRN" lrn_param {{ {text} }}', [x])


def test_a_window_wider_than_the_channels_sees_them_all() -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 2, 5))
    run = harness("local_size: 9 alpha: 0.5 beta: 1", x)
    run.forward()
    scale = 1 + 0.5 / 9 * (x**2).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(run.tops[0], x / scale, rtol=1e-5)


@pytest.mark.parametrize("text", ["alpha: 0", "local_size: 1 alpha: 0 norm_region: WITHIN_CHANNEL"])
def test_without_alpha_nothing_changes(text: str) -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 2, 5))
    run = harness(text, x)
    run.forward()
    np.testing.assert_allclose(run.tops[0], run.bottoms[0])


def test_what_is_refused() -> None:
    with pytest.raises(LayerError, match="local_size must be odd, got 4"):
        harness("local_size: 4", np.zeros((2, 3, 5, 7)))
    with pytest.raises(LayerError, match="expected a bottom of 4 axes"):
        harness("", np.zeros((2, 3)))
