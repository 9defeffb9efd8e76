"""AdaptivePooling: windows, ties and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.layers.adaptive_pooling import bounds, exact_bounds
from protonet.testing import LayerHarness


def harness(text: str, x: np.ndarray) -> LayerHarness:
    return LayerHarness(f'type: "AdaptivePooling" adaptive_pooling_param {{ {text} }}', [x])


def test_windows_cover_an_axis_and_may_overlap() -> None:
    assert bounds(7, 3) == [(0, 3), (2, 5), (4, 7)]
    assert bounds(8, 4) == [(0, 2), (2, 4), (4, 6), (6, 8)]
    assert bounds(2, 3) == [(0, 1), (0, 2), (1, 2)]


def test_windows_of_maxima_are_rounded_and_those_of_means_are_not() -> None:
    """Torch7 computes 7 / 13 times 13 for the former, which is above 7 in float32."""
    assert bounds(13, 13)[6] == (6, 8)
    assert exact_bounds(13, 13)[6] == (6, 7)
    x = np.arange(13.0).reshape(1, 1, 1, 13)
    assert harness("output_h: 1 output_w: 13", x).forward()[0][0, 0, 0, 6] == 7
    assert harness("pool: AVE output_h: 1 output_w: 13", x).forward()[0][0, 0, 0, 6] == 6


@pytest.mark.parametrize("pool", ["MAX", "AVE"])
@pytest.mark.parametrize("size", [(2, 3), (3, 2), (7, 8), (9, 1), (7, 4)])
def test_beside_the_formula(pool: str, size: tuple[int, int]) -> None:
    x = np.random.default_rng(3).standard_normal((2, 3, 7, 8)).astype(np.float32)
    made = harness(f"pool: {pool} output_h: {size[0]} output_w: {size[1]}", x)
    reduce = np.max if pool == "MAX" else np.mean
    expected = np.stack(
        [
            np.stack([reduce(x[:, :, a:b, c:d], axis=(2, 3)) for c, d in bounds(8, size[1])], -1)
            for a, b in bounds(7, size[0])
        ],
        axis=2,
    )
    np.testing.assert_allclose(made.forward()[0], expected, rtol=1e-5, atol=1e-6)


def test_the_first_of_equal_values_gets_the_gradient() -> None:
    made = harness("output_h: 2 output_w: 2", np.zeros((1, 1, 3, 5)))
    made.forward()
    (dx,) = made.backward([np.array([[[[1.0, 2], [3, 4]]]])])
    np.testing.assert_array_equal(dx[0, 0], [[1, 0, 2, 0, 0], [3, 0, 4, 0, 0], [0] * 5])


def test_a_value_that_is_infinite_stays_where_it_is() -> None:
    x = np.zeros((1, 1, 5, 5))
    x[0, 0, 4, 4] = np.inf
    (y,) = harness("output_h: 2 output_w: 2", x).forward()
    np.testing.assert_array_equal(y[0, 0], [[0, 0], [0, np.inf]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("output_h: 2", "adaptive_pooling_param needs output_w above 0"),
        ("output_h: 0 output_w: 2", "adaptive_pooling_param needs output_h above 0"),
        ("pool: STOCHASTIC output_h: 2 output_w: 2", "expected pool MAX or AVE, got STOCHASTIC"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(LayerError, match=message):
        harness(text, np.zeros((1, 2, 3, 4)))
    with pytest.raises(LayerError, match="expected 4 axes"):
        harness("output_h: 2 output_w: 2", np.zeros((2, 3, 4)))
