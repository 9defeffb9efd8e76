"""Softmax and SoftmaxWithLoss."""

from __future__ import annotations

import math

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness


def loss(fields: str, scores: object, labels: object) -> LayerHarness:
    text = f'type: "SoftmaxWithLoss" bottom: "x" bottom: "t" {fields}'
    return LayerHarness(text, [scores, labels], dtype=np.float64)


def test_softmax_of_large_scores_does_not_overflow() -> None:
    harness = LayerHarness('type: "Softmax"', [[[1e4, 1e4], [-1e4, 1e4]]])
    assert harness.forward()[0].tolist() == [[0.5, 0.5], [0.0, 1.0]]


def test_softmax_without_a_wanted_gradient_writes_none() -> None:
    harness = LayerHarness('type: "Softmax"', [[[1.0, 2.0, 3.0]]])
    harness.dbottoms = [None]
    harness.forward()
    assert harness.backward([np.ones((1, 3))]) == [None]


def test_the_axis_must_be_there() -> None:
    with pytest.raises(LayerError, match="axis 1 is out of range for a bottom of shape 3"):
        LayerHarness('type: "Softmax"', [np.ones(3)])


def test_a_hopeless_item_costs_no_more_than_caffes_ceiling() -> None:
    harness = loss("", [[0.0, 1e4]], [0])
    assert harness.forward()[0] == pytest.approx(87.3365, rel=1e-6)
    assert harness.backward([2.0])[0].tolist() == [[-2.0, 2.0]]


EVEN = np.zeros((2, 4, 3))
"""Scores that give each of 4 classes 1/4: every item costs log 4."""


@pytest.mark.parametrize(
    ("fields", "normalizer"),
    [
        ("", 4),
        ("normalization: VALID", 4),
        ("normalization: FULL", 6),
        ("normalization: BATCH_SIZE", 2),
        ("normalization: NONE", 1),
        ("normalize: true", 4),
        ("normalize: false", 2),
        ("normalize: false normalization: FULL", 6),
    ],
)
def test_normalization_with_two_of_six_items_ignored(fields: str, normalizer: int) -> None:
    labels = [[0, 1, 3], [2, 3, 0]]
    harness = loss(f"loss_param {{ ignore_label: 3 {fields} }}", EVEN, labels)
    assert harness.forward()[0] == pytest.approx(4 * math.log(4) / normalizer)
    gradient = harness.backward([1.0])[0]
    assert gradient is not None
    expected = np.full(EVEN.shape, 0.25 / normalizer)
    for item, place, label in ((0, 0, 0), (0, 1, 1), (1, 0, 2), (1, 2, 0)):
        expected[item, label, place] = -0.75 / normalizer
    expected[0, :, 2] = expected[1, :, 1] = 0
    np.testing.assert_allclose(gradient, expected)


def test_when_all_is_ignored_the_loss_is_zero() -> None:
    harness = loss("loss_param { ignore_label: -1 }", EVEN, np.full((2, 3), -1))
    assert harness.forward()[0] == 0
    assert not np.any(harness.backward([1.0])[0])


def test_the_second_top_holds_the_probabilities() -> None:
    tops = loss('top: "l" top: "p"', EVEN, np.zeros((2, 3))).forward()
    assert tops[1].tolist() == np.full(EVEN.shape, 0.25).tolist()


def test_without_a_wanted_gradient_none_is_written() -> None:
    harness = loss("", EVEN, np.zeros((2, 3)))
    harness.dbottoms = [None, None]
    harness.forward()
    assert harness.backward([1.0]) == [None, None]


@pytest.mark.parametrize(
    ("fields", "labels", "message", "path"),
    [
        (
            "",
            (2, 4),
            "expected one label in 't' for each of the 6 items of 'x' (2x4x3, classes along "
            "axis 1), got 8 (2x4)",
            ("bottom", 1),
        ),
        (
            "softmax_param { axis: 3 }",
            (2, 3),
            "axis 3 is out of range for a bottom of shape 2x4x3",
            ("softmax_param", "axis"),
        ),
        (
            'top: "l" top: "p" loss_weight: 1 loss_weight: 0.5',
            (2, 3),
            "the probabilities of the second top cannot be part of the objective",
            ("loss_weight", 1),
        ),
        (
            "loss_param { class_weighting: 1 class_weighting: 2 }",
            (2, 3),
            "class_weighting without weight_by_label_freqs has no effect",
            ("loss_param", "class_weighting"),
        ),
        (
            "loss_param { weight_by_label_freqs: true class_weighting: 1 }",
            (2, 3),
            "expected a class_weighting for each of 4 classes, got 1",
            ("loss_param", "weight_by_label_freqs"),
        ),
        (
            "loss_param { label_smoothing: 1 }",
            (2, 3),
            "expected 0 <= label_smoothing < 1, got 1",
            ("loss_param", "label_smoothing"),
        ),
    ],
)
def test_mistakes(
    fields: str, labels: tuple[int, ...], message: str, path: tuple[str | int, ...]
) -> None:
    with pytest.raises(LayerError) as caught:
        loss(fields, EVEN, np.zeros(labels))
    assert (str(caught.value), caught.value.path) == (message, path)


def test_classes_may_be_weighted() -> None:
    """As in SegNet: the parts of the loss and the gradient, not what they are divided by."""
    x = np.log([[0.5, 0.25, 0.25], [0.125, 0.5, 0.375], [0.25, 0.25, 0.5]])
    text = (
        'type: "SoftmaxWithLoss" loss_param { ignore_label: 1 weight_by_label_freqs: true '
        "class_weighting: 2 class_weighting: 9 class_weighting: 0.5 }"
    )
    harness = LayerHarness(text, [x, [0, 2, 1]], dtype=np.float64)
    expected = -(2 * np.log(0.5) + 0.5 * np.log(0.375)) / 2
    np.testing.assert_allclose(harness.forward()[0], expected, rtol=1e-6)
    dx = harness.backward([1.0])[0]
    np.testing.assert_allclose(
        dx, [[-0.5, 0.25, 0.25], [0.03125, 0.125, -0.15625], [0, 0, 0]], rtol=1e-6
    )


def test_label_smoothing_gives_every_class_a_share() -> None:
    x, labels = np.log([[0.5, 0.25, 0.125, 0.125]]), [1]
    text = 'type: "SoftmaxWithLoss" loss_param { label_smoothing: 0.4 }'
    harness = LayerHarness(text, [x, labels], dtype=np.float64)
    q = np.array([0.1, 0.7, 0.1, 0.1])
    np.testing.assert_allclose(harness.forward()[0], -(q * x[0]).sum(), rtol=1e-6)
    dx = harness.backward([1.0])[0]
    assert dx is not None
    np.testing.assert_allclose(dx[0], np.exp(x[0]) - q, rtol=1e-6)


@pytest.mark.parametrize("kind", ["Softmax", "SoftmaxWithLoss"])
def test_only_a_softmax_is_a_softmax(kind: str) -> None:
    bottoms = [np.zeros((2, 3)), np.zeros(2)][: 1 + (kind != "Softmax")]
    LayerHarness(f'type: "{kind}" softmax_param {{ normalize_type: "Softmax" }}', bottoms)
    with pytest.raises(LayerError, match='expected normalize_type: "Softmax", got "L2"'):
        LayerHarness(f'type: "{kind}" softmax_param {{ normalize_type: "L2" }}', bottoms)


def test_logarithms_of_small_probabilities() -> None:
    harness = LayerHarness('type: "LogSoftmax"', [[[0.0, 1e4], [2.0, 2.0]]])
    half = -math.log(2)
    np.testing.assert_allclose(harness.forward()[0], [[-1e4, 0], [half, half]], rtol=1e-6)
    dx = harness.backward([[[1.0, 0.0], [1.0, 0.0]]])[0]
    np.testing.assert_allclose(dx, [[1, -1], [0.5, -0.5]], rtol=1e-6)
    with pytest.raises(LayerError, match="axis 1 is out of range for a bottom of shape 3"):
        LayerHarness('type: "LogSoftmax"', [np.ones(3)])
