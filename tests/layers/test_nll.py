"""NLLLoss beside its formula, and beside SoftmaxWithLoss."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness

RANDOM = np.random.default_rng(3)
SCORES = RANDOM.normal(size=(2, 4, 3))
X = SCORES - np.log(np.exp(SCORES).sum(axis=1, keepdims=True))
LABELS = np.array([[0, 1, 3], [2, 3, 0]])
WEIGHTS = np.array([2, 0.125, 0.5, 1])
GIVEN = "class_weighting: [2, 0.125, 0.5, 1]"


def expected(weights: np.ndarray, divisor: float) -> tuple[float, np.ndarray]:
    dx = np.zeros(X.shape)
    for item in range(2):
        for place in range(3):
            label = LABELS[item, place]
            dx[item, label, place] = -weights[label] / divisor
    return float((dx * X).sum()), dx


@pytest.mark.parametrize(
    ("fields", "weights", "divisor"),
    [
        ("", np.ones(4), 6),
        ("normalization: NONE", np.ones(4), 1),
        ("normalization: BATCH_SIZE", np.ones(4), 2),
        ("normalization: FULL ignore_label: 3", np.array([1, 1, 1, 0]), 6),
        ("ignore_label: 3", np.array([1, 1, 1, 0]), 4),
        (GIVEN, WEIGHTS, 6.625),
        (f"{GIVEN} ignore_label: 3", WEIGHTS * [1, 1, 1, 0], 4.625),
        (f"{GIVEN} normalization: VALID", WEIGHTS, 6),
        (f"{GIVEN} normalization: NONE", WEIGHTS, 1),
        ("class_weighting: [0, 0, 0, 0]", np.zeros(4), 1),
        ("class_weighting: [0.01, 0, 0, 0]", np.array([0.01, 0, 0, 0]), 0.02),
    ],
)
def test_the_formula(fields: str, weights: np.ndarray, divisor: float) -> None:
    loss, dx = expected(weights, divisor)
    text = f'type: "NLLLoss" loss_param {{ {fields} }}'
    harness = LayerHarness(text, [X, LABELS], dtype=float)
    assert harness.forward()[0] == pytest.approx(loss)
    np.testing.assert_allclose(harness.backward([1.0])[0], dx)


def test_with_its_softmax_it_is_softmax_with_loss() -> None:
    fields = f"loss_param {{ {GIVEN} ignore_label: 1 normalization: WEIGHTS"
    alone = LayerHarness(f'type: "NLLLoss" {fields} }}', [X, LABELS], dtype=float)
    text = f'type: "SoftmaxWithLoss" {fields} weight_by_label_freqs: true }}'
    fused = LayerHarness(text, [SCORES, LABELS], dtype=float)
    assert alone.forward()[0] == pytest.approx(fused.forward()[0])
    (dx,), (dscores,) = alone.backward([1.0])[:1], fused.backward([1.0])[:1]
    assert dx is not None
    np.testing.assert_allclose(dscores, dx - np.exp(X) * dx.sum(1, keepdims=True))


def test_classes_of_no_chance_do_not_count_and_one_item_needs_no_batch() -> None:
    x = np.array([-np.inf, -0.5, -np.inf])
    harness = LayerHarness('type: "NLLLoss" nll_loss_param { axis: 0 }', [x, [1]], dtype=float)
    assert harness.forward()[0] == 0.5
    assert harness.backward([1.0])[0].tolist() == [0, -1, 0]


@pytest.mark.parametrize(
    ("fields", "labels", "message"),
    [
        ("nll_loss_param { axis: 3 }", LABELS, "axis 3 is out of range"),
        ("", LABELS[:1], "expected one label"),
        ("loss_param { class_weighting: 1 }", LABELS, "a class_weighting for each of 4 classes"),
    ],
)
def test_what_does_not_fit(fields: str, labels: np.ndarray, message: str) -> None:
    with pytest.raises(LayerError, match=message):
        LayerHarness(f'type: "NLLLoss" {fields}', [X, labels])


def test_a_label_that_is_no_class() -> None:
    harness = LayerHarness('type: "NLLLoss"', [X, LABELS + 1])
    with pytest.raises(LayerError, match=r"label 4 .* is not one of the 4 classes"):
        harness.forward()
