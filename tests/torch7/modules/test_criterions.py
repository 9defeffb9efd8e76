"""Losses of each value and its target, beside their formulas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.errors import LayerError, NetworkError
from protonet.torch7.api import TorchCriterion
from protonet.torch7.objects import Tensor
from tests.torch7.modules.losses import Formula, hold, layers_of
from tests.torch7.trees import nn

RANDOM = np.random.default_rng(5)
X = RANDOM.normal(size=(4, 3)).astype(np.float32)
P = RANDOM.uniform(0.1, 0.9, (4, 3)).astype(np.float32)
T = RANDOM.uniform(0.1, 0.9, (4, 3)).astype(np.float32)
SIGNS = np.array([[1, -1, 1], [-1, -1, 1], [1, 1, -1], [-1, 1, 1]], np.float32)
W = np.array([2, 0.5, 3])


def smooth(d: np.ndarray) -> np.ndarray:
    return np.where(np.abs(d) < 1, d * d / 2, np.abs(d) - 0.5)


def entropy(p: np.ndarray, t: np.ndarray) -> np.ndarray:
    return -t * np.log(p) - (1 - t) * np.log(1 - p)


def soft(x: np.ndarray) -> np.ndarray:
    return np.log(1 + np.exp(x))


CASES: list[tuple[str, tuple[Any, ...], np.ndarray, np.ndarray, Formula]] = [
    ("MSECriterion", (), X, T, lambda x: ((x - T) ** 2).mean()),
    ("MSECriterion", (False,), X, T, lambda x: ((x - T) ** 2).sum()),
    ("MSECriterion", (), X, T.reshape(12), lambda x: ((x - T) ** 2).mean()),
    ("MSECriterion", (), X[0], T[0], lambda x: ((x - T[0]) ** 2).mean()),
    ("AbsCriterion", (), X, T, lambda x: np.abs(x - T).mean()),
    ("AbsCriterion", (False,), X, T, lambda x: np.abs(x - T).sum()),
    ("SmoothL1Criterion", (), 2 * X, T, lambda x: smooth(x - T).mean()),
    ("SmoothL1Criterion", (False,), 2 * X, T, lambda x: smooth(x - T).sum()),
    ("BCECriterion", (), P, T, lambda x: entropy(x, T).mean()),
    ("BCECriterion", (None, False), P, T, lambda x: entropy(x, T).sum()),
    ("BCECriterion", (Tensor.of(W),), P, T, lambda x: (W * entropy(x, T)).mean()),
    ("BCECriterion", (Tensor.of(W),), P[:1].T, T[0], lambda x: (W * entropy(x[:, 0], T[0])).mean()),
    ("MultiLabelSoftMarginCriterion", (), X, T, lambda x: (soft(x) - x * T).mean()),
    ("MultiLabelSoftMarginCriterion", (None, False), X, T, lambda x: (soft(x) - x * T).sum()),
    ("MultiLabelSoftMarginCriterion", (Tensor.of(W), False), X, T,
     lambda x: (W * (soft(x) - x * T)).sum()),
    ("DistKLDivCriterion", (), X, T, lambda x: (T * (np.log(T) - x)).mean()),
    ("SoftMarginCriterion", (), X, SIGNS, lambda x: soft(-x * SIGNS).mean()),
    ("MarginCriterion", (), X, SIGNS, lambda x: np.maximum(0, 1 - x * SIGNS).mean()),
    ("MarginCriterion", (0.4,), X, SIGNS, lambda x: np.maximum(0, 0.4 - x * SIGNS).mean()),
    ("HingeEmbeddingCriterion", (), X, SIGNS,
     lambda x: np.where(SIGNS == 1, x, np.maximum(0, 1 - x)).mean()),
    ("HingeEmbeddingCriterion", (2,), X, SIGNS,
     lambda x: np.where(SIGNS == 1, x, np.maximum(0, 2 - x)).mean()),
    ("WeightedMSECriterion", (Tensor.of(W),), X, T, lambda x: ((x - W * T) ** 2).mean()),
    ("WeightedMSECriterion", (Tensor.of(P),), X, T.reshape(12),
     lambda x: ((x - P * T) ** 2).mean()),
    ("L1Cost", (), X, np.zeros(1), lambda x: np.abs(x).sum()),
]  # fmt: skip


@pytest.mark.parametrize(("name", "arguments", "x", "target", "formula"), CASES)
def test_beside_formulas(
    name: str, arguments: tuple[Any, ...], x: np.ndarray, target: np.ndarray, formula: Formula
) -> None:
    hold(nn(name, *arguments), formula, [x], target)


@pytest.mark.parametrize("name", ["HingeEmbeddingCriterion", "SoftMarginCriterion"])
def test_criterions_without_the_argument_have_the_field(name: str) -> None:
    made = nn(name)
    average = TorchCriterion(made).forward(X, SIGNS)
    made.fields["sizeAverage"] = False
    assert TorchCriterion(made).forward(X, SIGNS) == pytest.approx(12 * average, rel=1e-5)


def test_a_hinge_of_an_old_file_averages() -> None:
    made = nn("HingeEmbeddingCriterion")
    average = TorchCriterion(made).forward(X, SIGNS)
    del made.fields["sizeAverage"]
    assert TorchCriterion(made).forward(X, SIGNS) == pytest.approx(average)


def test_a_target_larger_than_the_input_is_cropped() -> None:
    x, t = RANDOM.normal(size=(2, 3, 4, 5)), RANDOM.normal(size=(2, 3, 7, 9))
    criterion = nn("SpatialAutoCropMSECriterion")
    hold(criterion, lambda x: ((x - t[:, :, 1:5, 2:7]) ** 2).mean(), [x], t)
    hold(criterion, lambda x: ((x - t[0, :, 1:5, 2:7]) ** 2).mean(), [x[0]], t[0])
    hold(criterion, lambda x: ((x - t[:, :, 1:5, 2:7]) ** 2).mean(), [x], t[:, :, 1:5, 2:7])
    with pytest.raises(NetworkError, match="a target of the input's size or larger"):
        TorchCriterion(criterion).forward(t, x)


def test_without_a_target() -> None:
    criterion = TorchCriterion(nn("L1Cost"))
    assert criterion.forward(X, None) == pytest.approx(np.abs(X).sum(), rel=1e-5)
    np.testing.assert_array_equal(criterion.backward(X, None), np.sign(X))


def test_the_mean_of_squares_is_caffes_layer() -> None:
    (spec,) = layers_of(nn("MSECriterion"), (4, 3, 2), (4, 6)).specs
    assert spec.type == "EuclideanLoss"
    assert spec.loss_weight == [pytest.approx(2 / 6)]
    (spec,) = layers_of(nn("MSECriterion"), (4, 3), (12,)).specs
    assert spec.type == "ElementwiseLoss"


def test_labels_are_as_in_torch7_for_criterions_that_know_no_classes() -> None:
    net = layers_of(nn("MSECriterion"), (4, 1), (4,), base=0)
    assert [spec.type for spec in net.specs] == ["Power", "EuclideanLoss"]
    assert net.specs[0].power_param.shift == 1


def test_fields_are_those_of_torch7() -> None:
    fields = nn("BCECriterion", Tensor.of(W)).fields
    assert set(fields) == {"gradInput", "output", "sizeAverage", "weights"}
    assert fields["output"] == 0
    made = nn("WeightedMSECriterion", Tensor.of(W)).fields
    np.testing.assert_array_equal(made["weight"].array, W)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("BCECriterion", (Tensor.of(X),), "weights must be a tensor with one axis, got 4x3"),
        ("MultiLabelSoftMarginCriterion", (3,), "weights must be a tensor with one axis, got 3"),
        ("WeightedMSECriterion", (3,), "expected a tensor of weights, got 3"),
    ],
)
def test_arguments_that_are_refused(name: str, arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(LayerError, match=message):
        nn(name, *arguments)


def test_inputs_that_do_not_fit() -> None:
    with pytest.raises(NetworkError, match="WeightedMSECriterion: weights are 3, but the input"):
        TorchCriterion(nn("WeightedMSECriterion", Tensor.of(W))).forward(X.T, T.T)
    with pytest.raises(NetworkError, match="expected a tensor, got a table of 2"):
        TorchCriterion(nn("AbsCriterion")).forward([X, X], T)
    with pytest.raises(NetworkError, match="expected a target for each value"):
        TorchCriterion(nn("AbsCriterion")).forward(X, T[:2])
