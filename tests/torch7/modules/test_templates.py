"""Distances and similarities to learned vectors, beside their formulas."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from protonet.errors import LayerError, NetworkError
from protonet.torch7.api import TorchModule
from tests.torch7.modules.losses import differences
from tests.torch7.trees import SESSION, Draws, nn

RANDOM = np.random.default_rng(5)
X = RANDOM.normal(size=(3, 5))


def euclidean(x: np.ndarray, w: np.ndarray, c: np.ndarray | None = None) -> np.ndarray:
    d = x[..., :, None] - w
    return np.asarray(np.sqrt(((d if c is None else c * d) ** 2).sum(-2)))


def cosine(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(x, axis=-1)[..., None] * np.linalg.norm(w, axis=1)
    return np.asarray(x @ w.T / lengths)


@pytest.mark.parametrize("rows", [slice(None), 0])
@pytest.mark.parametrize(
    ("name", "shape", "formula"),
    [
        ("Euclidean", (5, 4), euclidean),
        ("Euclidean", (5, 1), euclidean),
        ("WeightedEuclidean", (5, 4), euclidean),
        ("Cosine", (4, 5), cosine),
    ],
)
def test_values_and_gradients(
    rows: slice | int, name: str, shape: tuple[int, int], formula: Callable[..., np.ndarray]
) -> None:
    x = X[rows]
    made = nn(name, 5, shape[0] * shape[1] // 5)
    model = TorchModule(made, [x.shape])
    for value, _ in model.parameters():
        value[...] = RANDOM.uniform(0.5, 1.5, shape)
    arrays = [x, *(np.float64(value) for value, _ in model.parameters())]
    y = formula(*arrays)
    np.testing.assert_allclose(model.forward(x), y, rtol=1e-5)
    dy = RANDOM.normal(size=y.shape)
    gradients = [model.backward(dy)[0], *(gradient for _, gradient in model.parameters())]
    for place, gradient in enumerate(gradients):
        expected = differences(lambda *given: (dy * formula(*given)).sum(), arrays, place)
        np.testing.assert_allclose(gradient, expected, rtol=1e-3, atol=1e-5)


def test_no_distance_has_no_gradient() -> None:
    model = TorchModule(nn("Euclidean", 5, 1), [(1, 5)])
    model.parameters()[0][0][...] = 2
    assert model.forward(np.full((1, 5), 2)).tolist() == [[0]]
    assert not np.any(model.backward(np.ones((1, 1))))


def test_initial_values_and_fields() -> None:
    draws = SESSION.random
    assert isinstance(draws, Draws)
    for name, bound in (("Euclidean", 1 / 3), ("WeightedEuclidean", 1 / 3), ("Cosine", 1 / 2)):
        made = nn(name, 9, 4)
        assert draws.asked[-1] == ("uniform", -bound, bound)
    assert made.fields["gradWeight"].shape == (4, 9)
    assert nn("Euclidean", 9, 4).fields["fastBackward"] is True
    assert nn("WeightedEuclidean", 9, 4).fields["diagCov"].array.tolist() == [[1] * 4] * 9


def test_what_does_not_fit() -> None:
    with pytest.raises(LayerError, match="outputSize must be 1 or more, got 0"):
        nn("Cosine", 3, 0)
    with pytest.raises(NetworkError, match="expected vectors of 5, got 3x4"):
        TorchModule(nn("Euclidean", 5, 2), [(3, 4)])
