"""Losses of pairs, beside their formulas."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import NetworkError
from protonet.torch7.api import TorchCriterion
from tests.torch7.modules.losses import hold, layers_of
from tests.torch7.trees import nn

RANDOM = np.random.default_rng(5)
A, B = RANDOM.normal(size=(2, 6, 5))
Y = np.array([1, -1, -1, 1, -1, 1])


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    return np.asarray((a * b).sum(-1) / lengths)


@pytest.mark.parametrize("margin", [None, 0.1])
def test_angles(margin: float | None) -> None:
    def formula(a: np.ndarray, b: np.ndarray) -> float:
        c = cosines(a, b)
        return float(np.where(Y == 1, 1 - c, np.maximum(0, c - (margin or 0))).mean())

    made = nn("CosineEmbeddingCriterion", margin)
    hold(made, formula, [A, B], Y)
    made.fields["sizeAverage"] = False
    hold(made, lambda a, b: 6 * formula(a, b), [A, B], Y)
    hold(made, lambda a, b: 1 - cosines(a, b), [A[0], B[0]], 1)


@pytest.mark.parametrize("margin", [None, 0.1])
def test_rankings(margin: float | None) -> None:
    gap = 1 if margin is None else margin
    made = nn("MarginRankingCriterion", margin)
    a, b = A[:, 0], B[:, 0]
    hold(made, lambda a, b: np.maximum(0, gap - Y * (a - b)).mean(), [a, b], Y)
    hold(made, lambda a, b: np.maximum(0, gap + (a - b)).sum(), [a[:1], b[:1]], -1)
    signs = np.where(RANDOM.normal(size=A.shape) > 0, 1, -1)
    hold(made, lambda a, b: np.maximum(0, gap - signs * (a - b)).sum() / 6, [A, B], signs)


@pytest.mark.parametrize("y", [1, -1])
@pytest.mark.parametrize("margin", [None, 1000])
def test_distances(y: int, margin: float | None) -> None:
    def formula(a: np.ndarray, b: np.ndarray) -> float:
        distance = np.abs(a - b).sum()
        return float(distance if y == 1 else max(0, (margin or 1) - distance))

    hold(nn("L1HingeEmbeddingCriterion", margin), formula, [A[0], B[0]], y)


def test_ratios() -> None:
    a, b = A[:, 0], B[:, 0]
    hold(nn("DistanceRatioCriterion"), lambda a, b: np.log(1 + np.exp(a - b)).mean(), [a, b], None)
    hold(
        nn("DistanceRatioCriterion", False),
        lambda a, b: np.log(1 + np.exp(a - b)).sum(),
        [A, B],
        None,
    )


def test_fields_are_those_of_torch7() -> None:
    fields = nn("MarginRankingCriterion").fields
    assert [each.shape for each in fields["gradInput"].sequence] == [(1,), (1,)]
    assert fields["margin"] == 1
    assert nn("CosineEmbeddingCriterion").fields["margin"] == 0


def test_inputs_that_do_not_fit() -> None:
    cosine = TorchCriterion(nn("CosineEmbeddingCriterion"))
    with pytest.raises(NetworkError, match="expected a table of tensors, got a tensor of 6x5"):
        cosine.forward(A, Y)
    with pytest.raises(NetworkError, match="expected a table of 2 tensors, got 3"):
        cosine.forward([A, B, A], Y)
    with pytest.raises(NetworkError, match="two tensors of one shape, got 6x5 and 3x5"):
        cosine.forward([A, B[:3]], Y)
    with pytest.raises(NetworkError, match="expected vectors or matrices, got 2x3x5"):
        cosine.forward([A.reshape(2, 3, 5)] * 2, Y)
    with pytest.raises(NetworkError, match="one pair with one target, got targets of 6"):
        TorchCriterion(nn("L1HingeEmbeddingCriterion")).forward([A, B], Y)


def test_the_loss_has_the_name_of_the_criterion() -> None:
    net = layers_of(nn("MarginRankingCriterion"), (6,), (6,), (6,))
    assert [spec.name for spec in net.specs] == ["Eltwise1", "MarginRankingCriterion1"]
    net = layers_of(nn("DistanceRatioCriterion"), (6,), (6,), (6,))
    assert [spec.name for spec in net.specs] == ["Eltwise1", "BNLL1", "DistanceRatioCriterion1"]
