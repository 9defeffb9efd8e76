"""CosineSimilarity and PairwiseDistance, beside their formulas."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness

RANDOM = np.random.default_rng(3)
A, B = RANDOM.normal(size=(2, 3, 4, 5))
DY = RANDOM.normal(size=3)


def cosine(text: str, a: object, b: object) -> LayerHarness:
    return LayerHarness(f'type: "CosineSimilarity" {text}', [a, b], dtype=float)


def test_cosine_of_the_angle() -> None:
    a, b = A.reshape(3, 20), B.reshape(3, 20)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    assert cosine("", A, B).forward()[0] == pytest.approx((a * b).sum(1) / lengths)
    assert cosine("", A, A).forward()[0] == pytest.approx(np.ones(3))
    assert cosine("cosine_similarity_param { axis: 0 }", [3, 4], [4, 3]).forward()[
        0
    ] == pytest.approx(0.96)
    assert cosine("cosine_similarity_param { axis: 2 }", A, B).forward()[0].shape == (3, 4)


def test_vectors_of_length_0_have_finite_gradients() -> None:
    harness = cosine("", np.zeros((1, 2)), [[3.0, 4.0]])
    assert harness.forward()[0] == [0]
    da, db = harness.backward([np.ones(1)])
    np.testing.assert_allclose(da, [[0.6e6, 0.8e6]])
    assert db.tolist() == [[0, 0]]
    tiny = LayerHarness('type: "CosineSimilarity"', [[[1e-9, 0]], [[1e-9, 0]]])
    assert np.isfinite(tiny.forward()[0]).all()


@pytest.mark.parametrize("p", [1, 2, 3, 2.5, 1.5])
def test_distances_and_gradients(p: float) -> None:
    text = f'type: "PairwiseDistance" pairwise_distance_param {{ p: {p} }}'
    harness = LayerHarness(text, [A, B], dtype=float)
    d = (A - B).reshape(3, 20)
    y = (np.abs(d) ** p).sum(1) ** (1 / p)
    np.testing.assert_allclose(harness.forward()[0], y)
    da, db = harness.backward([DY])
    slope = np.sign(d) * np.abs(d) ** (p - 1)
    if p == 1.5:
        slope = d
    expected = (DY * (y + 1e-6) ** (1 - p))[:, None] * slope
    np.testing.assert_allclose(da.reshape(3, 20), expected)
    np.testing.assert_allclose(db, -np.reshape(expected, B.shape))


def test_the_length_of_one_vector() -> None:
    harness = LayerHarness('type: "PairwiseDistance"', [[[3.0, 4.0], [0.0, 0.0]]], dtype=float)
    assert harness.forward()[0].tolist() == [5, 0]
    (da,) = harness.backward([np.array([10.0, 1.0])])
    np.testing.assert_allclose(da, [[6, 8], [0, 0]], rtol=1e-6)


@pytest.mark.parametrize("p", [1, 2, 3])
def test_equal_vectors_have_no_distance_and_no_gradient(p: int) -> None:
    text = f'type: "PairwiseDistance" pairwise_distance_param {{ p: {p} }}'
    harness = LayerHarness(text, [A, A])
    assert harness.forward()[0].tolist() == [0, 0, 0]
    assert not np.any(harness.backward([np.ones(3)]))


@pytest.mark.parametrize(
    ("text", "shapes", "message"),
    [
        ('"CosineSimilarity"', [(3, 4), (3, 5)], "expected vectors as in"),
        ('"CosineSimilarity"', [(3, 4), (4, 3)], "expected vectors as in"),
        ('"CosineSimilarity"', [(3,), (3,)], "axis 1 is out of range"),
        ('"CosineSimilarity" cosine_similarity_param { eps: -1 }', [(3, 4)] * 2, "eps of 0 or"),
        ('"PairwiseDistance" pairwise_distance_param { p: 0 }', [(3, 4)] * 2, "p above 0, got 0"),
        ('"PairwiseDistance" pairwise_distance_param { axis: 2 }', [(3, 4)] * 2, "out of range"),
    ],
)
def test_what_does_not_fit(text: str, shapes: list[tuple[int, ...]], message: str) -> None:
    with pytest.raises(LayerError, match=message):
        LayerHarness(f"type: {text}", [np.zeros(shape) for shape in shapes])
