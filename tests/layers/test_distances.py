"""InnerDistance."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness


@pytest.mark.parametrize("kind", ["L1", "L2"])
def test_distances_and_gradients_by_loops(kind: str) -> None:
    generator = np.random.default_rng(1)
    x, w, dy = (generator.standard_normal(shape) for shape in ((3, 5), (4, 5), (3, 4)))
    text = f'type: "InnerDistance" inner_distance_param {{ distance_type: "{kind}" }}'
    harness = LayerHarness(text, [x, w], dtype=float)
    difference = x[:, None] - w
    terms, slope = np.abs(difference), np.sign(difference)
    if kind == "L2":
        terms, slope = difference**2, 2 * difference
    np.testing.assert_allclose(harness.forward()[0], terms.sum(axis=2), atol=1e-12)
    dx, dw = harness.backward([dy])
    np.testing.assert_allclose(dx, (dy[..., None] * slope).sum(axis=1), atol=1e-12)
    np.testing.assert_allclose(dw, -(dy[..., None] * slope).sum(axis=0), atol=1e-12)


def test_learned_points_may_be_brought_to_length_1() -> None:
    text = """type: "InnerDistance" inner_distance_param { num_output: 2 normalize: true
        bias_term: false }"""
    harness = LayerHarness(text, [[[3.0, 4.0]]], dtype=float)
    harness.layer.params[0].data[...] = [[6, 8], [0, 0]]
    np.testing.assert_allclose(harness.forward()[0], [[16, 25]], rtol=1e-5)
    np.testing.assert_allclose(harness.layer.params[0].data, [[0.6, 0.8], [0, 0]], rtol=1e-5)
    harness.backward([np.array([[1.0, 10.0]])])
    np.testing.assert_allclose(harness.layer.params[0].diff, [[-4.8, -6.4], [-60, -80]], rtol=1e-5)


def test_a_point_is_at_no_distance_to_itself() -> None:
    x = np.full((1, 50), 0.1, np.float32)
    assert LayerHarness('type: "InnerDistance"', [x, x]).forward()[0][0, 0] >= 0


@pytest.mark.parametrize(
    ("fields", "shapes", "message"),
    [
        ("", [(2, 3)], "needs num_output above 0"),
        ("transpose: true", [(2, 3), (4, 3)], "transpose is not supported"),
        ("update_center_only: true", [(2, 3), (4, 3)], "update_center_only is not supported"),
        ('distance_type: "L3"', [(2, 3), (4, 3)], "expected distance_type L1 or L2, got 'L3'"),
        ("", [(2, 3), (4, 5)], "expected points of 3 values"),
        ("axis: 2", [(2, 3), (4, 3)], "axis 2 is out of range"),
    ],
)
def test_distances_that_cannot_be(fields: str, shapes: list[tuple[int, ...]], message: str) -> None:
    text = f'type: "InnerDistance" inner_distance_param {{ {fields} }}'
    with pytest.raises(LayerError, match=message):
        LayerHarness(text, [np.zeros(shape) for shape in shapes])
