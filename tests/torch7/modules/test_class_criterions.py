"""Losses of classes, beside their formulas, and the layers that they become."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.errors import LayerError, NetworkError
from protonet.torch7.api import TorchCriterion
from protonet.torch7.modules.class_criterions import simplex
from protonet.torch7.objects import Tensor
from tests.torch7.modules.losses import hold, layers_of
from tests.torch7.trees import nn

RANDOM = np.random.default_rng(5)
SCORES = RANDOM.normal(size=(6, 5))
TARGET = np.array([1, 5, 3, 2, 5, 4])
W = np.array([2, 0.125, 3, 1, 0.5])
MAP = RANDOM.normal(size=(2, 5, 3, 4))
PIXELS = RANDOM.integers(1, 6, (2, 3, 4))


def log_softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    result: np.ndarray = x - np.log(np.exp(x).sum(axis=axis, keepdims=True))
    return result


def likelihood(
    x: np.ndarray, t: np.ndarray, w: np.ndarray, *, average: bool, ignored: int = -100
) -> float:
    """Of logarithms of probabilities N x C."""
    counted = [(row, int(label) - 1) for row, label in zip(x, t, strict=True) if label != ignored]
    total = sum(-w[label] * row[label] for row, label in counted)
    return float(total / sum(w[label] for _, label in counted)) if average else float(total)


@pytest.mark.parametrize("average", [True, False])
@pytest.mark.parametrize("weights", [None, W])
@pytest.mark.parametrize("ignored", [None, 5])
def test_likelihood(average: bool, weights: np.ndarray | None, ignored: int | None) -> None:
    given = None if weights is None else Tensor.of(weights)
    made = nn("ClassNLLCriterion", given, average, ignored)
    w = np.ones(5) if weights is None else weights
    hold(
        made,
        lambda x: likelihood(x, TARGET, w, average=average, ignored=ignored or -100),
        [log_softmax(SCORES)],
        TARGET,
    )


@pytest.mark.parametrize("average", [None, False])
@pytest.mark.parametrize("weights", [None, W])
def test_cross_entropy(average: bool | None, weights: np.ndarray | None) -> None:
    made = nn("CrossEntropyCriterion", None if weights is None else Tensor.of(weights), average)
    w = np.ones(5) if weights is None else weights

    def formula(x: np.ndarray) -> float:
        flat = log_softmax(x.reshape(6, 5))
        return likelihood(flat, TARGET, w, average=average is None)

    hold(made, formula, [SCORES], TARGET)
    hold(made, formula, [SCORES.reshape(6, 5, 1, 1)], TARGET)


@pytest.mark.parametrize("target", [np.array([3]), 3])
def test_one_item_without_a_batch(target: Any) -> None:
    x = log_softmax(SCORES[0])
    hold(nn("ClassNLLCriterion"), lambda x: -x[2], [x], target)
    hold(nn("ClassNLLCriterion", Tensor.of(W), False), lambda x: -3 * x[2], [x], target)
    hold(nn("CrossEntropyCriterion"), lambda x: -log_softmax(x)[2], [SCORES[0]], target)
    hold(nn("CrossEntropyCriterion"), lambda x: -log_softmax(x)[0, 2], [SCORES[:1]], target)


def test_the_field_of_the_criterion_inside_counts_where_it_was_set() -> None:
    def cost(made: Any) -> float:
        return TorchCriterion(made).forward(SCORES, TARGET)

    average, both = cost(nn("CrossEntropyCriterion")), []
    for inside in (True, False):
        made = nn("CrossEntropyCriterion")
        (made.fields["nll"] if inside else made).fields["sizeAverage"] = False
        both.append(cost(made))
    assert both == [pytest.approx(6 * average, rel=1e-5)] * 2


@pytest.mark.parametrize("average", [None, False])
@pytest.mark.parametrize("weights", [None, W])
def test_pixels(average: bool | None, weights: np.ndarray | None) -> None:
    made = nn("SpatialClassNLLCriterion", None if weights is None else Tensor.of(weights), average)
    w = np.ones(5) if weights is None else weights

    def formula(x: np.ndarray) -> float:
        rows = x.transpose(0, 2, 3, 1).reshape(-1, 5)
        return likelihood(rows, PIXELS.reshape(-1), w, average=average is None)

    hold(made, formula, [log_softmax(MAP, 1)], PIXELS)


def margins(x: np.ndarray, p: int, margin: float, w: np.ndarray) -> float:
    rows = enumerate(TARGET - 1)
    return sum(
        w[t] * max(0, margin - x[item, t] + x[item, c]) ** p / 5
        for item, t in rows
        for c in range(5)
        if c != t
    )


@pytest.mark.parametrize(("p", "margin"), [(None, None), (1, 0.3), (2, None), (2, 2)])
@pytest.mark.parametrize("weights", [None, W])
def test_margins(p: int | None, margin: float | None, weights: np.ndarray | None) -> None:
    made = nn("MultiMarginCriterion", p, None if weights is None else Tensor.of(weights), margin)
    w = np.ones(5) if weights is None else weights
    power, gap = p or 1, 1.0 if margin is None else margin
    hold(made, lambda x: margins(x, power, gap, w) / 6, [SCORES], TARGET)
    made.fields["sizeAverage"] = False
    hold(made, lambda x: margins(x, power, gap, w), [SCORES], TARGET)


def test_margins_of_several_labels() -> None:
    target = np.array([[3, 1, 0, 5, 5], [0, 1, 2, 3, 4]])

    def formula(x: np.ndarray) -> float:
        return sum(max(0, 1 - x[0, t] + x[0, c]) / 5 for t in (2, 0) for c in (1, 3, 4)) / 2

    hold(nn("MultiLabelMarginCriterion"), formula, [SCORES[:2]], target)
    made = nn("MultiLabelMarginCriterion")
    made.fields["sizeAverage"] = False
    hold(made, lambda x: 2 * formula(x), [SCORES[:2]], target)
    hold(made, lambda x: 2 * formula(x[None]), [SCORES[0]], target[0])


def test_corners_of_a_simplex() -> None:
    corners = simplex(4)
    products = corners @ corners.T
    np.testing.assert_allclose(products, np.full((5, 5), -0.25) + 1.25 * np.eye(5), atol=1e-12)
    made = nn("ClassSimplexCriterion", 5)
    wanted = np.pad(corners, ((0, 0), (0, 1)))[TARGET - 1]
    hold(made, lambda x: ((x - wanted) ** 2).mean(), [SCORES], TARGET)


def test_zero_based_labels_are_read_as_they_are_and_validation_counts_the_right_ones() -> None:
    loss, accuracy = layers_of(nn("CrossEntropyCriterion"), (6, 5), (6,), base=0).specs
    assert (loss.type, list(loss.bottom)) == ("SoftmaxWithLoss", ["x0", "label"])
    assert not loss.HasField("loss_param")
    assert list(loss.exclude[0].stage) == ["deploy"]
    assert (accuracy.type, list(accuracy.bottom)) == ("Accuracy", ["x0", "label"])
    assert not accuracy.exclude
    assert str(accuracy.include[0]).split() == ["phase:", "TEST", "not_stage:", '"deploy"']


def test_labels_of_torch7_are_shifted() -> None:
    net = layers_of(nn("ClassNLLCriterion", None, False, 2), (6, 5), (6,))
    assert [spec.type for spec in net.specs] == ["Power", "NLLLoss", "Accuracy"]
    assert net.specs[1].loss_param.ignore_label == 1
    assert net.specs[2].accuracy_param.ignore_label == 1


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("ClassNLLCriterion", (Tensor.of(SCORES),), "weights must be a tensor with one axis"),
        ("MultiMarginCriterion", (3,), "expected p of 1 or 2, got 3"),
        ("ClassSimplexCriterion", (1,), "a number of classes above 1, got 1"),
    ],
)
def test_arguments_that_are_refused(name: str, arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(LayerError, match=message):
        nn(name, *arguments)


@pytest.mark.parametrize(
    ("name", "x", "target", "message"),
    [
        ("ClassNLLCriterion", MAP, TARGET, "expected one or two axes, got 2x5x3x4"),
        ("SpatialClassNLLCriterion", SCORES, TARGET, "expected batch x classes x height x width"),
        ("CrossEntropyCriterion", MAP, TARGET, "expected scores with one or two axes"),
        ("MultiMarginCriterion", MAP, TARGET, "expected a vector or a matrix"),
        ("MultiLabelMarginCriterion", MAP, TARGET, "expected a vector or a matrix"),
        ("ClassNLLCriterion", SCORES, TARGET[:3], "expected one label"),
    ],
)
def test_inputs_that_do_not_fit(name: str, x: Any, target: Any, message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        TorchCriterion(nn(name)).forward(x, target)


def test_the_criterion_inside_of_a_file_may_be_anything() -> None:
    made = nn("CrossEntropyCriterion")
    made.fields["nll"] = nn("Linear", 5, 5)
    with pytest.raises(NetworkError, match=r"nll must be an nn\.ClassNLLCriterion, got"):
        TorchCriterion(made).forward(SCORES, TARGET)
