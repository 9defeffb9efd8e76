"""EuclideanLoss and Accuracy."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness

NAMES = 'bottom: "output" bottom: "label"'


def euclidean(*shapes: tuple[int, ...]) -> LayerHarness:
    return LayerHarness(f'type: "EuclideanLoss" {NAMES}', [np.ones(shape) for shape in shapes])


def test_the_loss_weight_scales_both_gradients() -> None:
    harness = LayerHarness(
        f'type: "EuclideanLoss" {NAMES}', [[[3.0, 1.0], [0.0, 0.0]], [[1.0, 1.0], [0.0, 4.0]]]
    )
    assert harness.forward()[0] == 5.0
    a, b = harness.backward([10.0])
    assert a is not None
    assert b is not None
    assert a.tolist() == [[10.0, 0.0], [0.0, -20.0]]
    assert b.tolist() == (-a).tolist()


def test_only_the_wanted_gradients_are_written() -> None:
    harness = euclidean((3, 2), (3, 2))
    harness.dbottoms[1] = None
    harness.forward()
    a, b = harness.backward([1.0])
    assert a is not None
    assert not a.any()
    assert b is None


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (
            ((10, 2), (10, 1, 1, 3)),
            "expected as many values per item in both bottoms, got 'output' 10x2 (2 per item) "
            "and 'label' 10x1x1x3 (3 per item)",
        ),
        (
            ((10, 2), (5, 4)),
            "expected as many items in both bottoms, got 'output' 10x2 (10 items) "
            "and 'label' 5x4 (5 items)",
        ),
        (((10, 2), ()), "expected at least 1 axis, got a scalar"),
    ],
)
def test_bottoms_that_do_not_fit(shapes: tuple[tuple[int, ...], ...], message: str) -> None:
    with pytest.raises(LayerError) as caught:
        euclidean(*shapes)
    assert (str(caught.value), caught.value.path) == (message, ("bottom", 1))


SCORES = [[0.1, 0.7, 0.2], [0.5, 0.1, 0.4], [0.3, 0.3, 0.4], [0.2, 0.5, 0.3]]


def accuracy(fields: str, labels: list[float], scores: object = SCORES) -> list[list[float]]:
    text = f'type: "Accuracy" {NAMES} top: "all" top: "each" accuracy_param {{ {fields} }}'
    return [top.tolist() for top in LayerHarness(text, [scores, labels]).forward()]


def test_accuracy_of_all_and_of_each_class() -> None:
    assert accuracy("", [1, 0, 2, 0]) == [0.75, [0.5, 1.0, 1.0]]


def test_top_k_counts_near_misses() -> None:
    assert accuracy("top_k: 2", [2, 1, 2, 0]) == [0.5, [0.0, 0.0, 1.0]]


def test_a_tie_counts_against_the_label() -> None:
    assert accuracy("", [0, 0], [[0.5, 0.5], [0.6, 0.4]])[0] == 0.5


def test_a_score_that_is_not_a_number_is_not_right() -> None:
    assert accuracy("", [0, 1], [[np.nan, 0.1], [np.nan, 0.2]])[0] == 0.0


def test_ignored_labels_count_nowhere() -> None:
    assert accuracy("ignore_label: 0", [1, 0, 2, 1]) == [1.0, [0.0, 1.0, 1.0]]
    assert accuracy("ignore_label: 0", [0, 0, 0, 0]) == [0.0, [0.0, 0.0, 0.0]]


def test_a_single_top_is_the_share_of_all() -> None:
    harness = LayerHarness(f'type: "Accuracy" {NAMES}', [SCORES, [1, 0, 2, 0]])
    assert [top.tolist() for top in harness.forward()] == [0.75]


@pytest.mark.parametrize(
    ("fields", "message", "path"),
    [
        (
            "accuracy_param { top_k: 4 }",
            "expected 1 <= top_k <= 3, the number of classes, got 4",
            ("accuracy_param", "top_k"),
        ),
        (
            "accuracy_param { axis: 2 }",
            "axis 2 is out of range for a bottom of shape 4x3",
            ("accuracy_param", "axis"),
        ),
        (
            "loss_weight: 1",
            "an accuracy has no gradient and cannot be part of the objective",
            ("loss_weight",),
        ),
    ],
)
def test_mistakes_of_accuracy(fields: str, message: str, path: tuple[str, ...]) -> None:
    with pytest.raises(LayerError) as caught:
        LayerHarness(f'type: "Accuracy" {NAMES} {fields}', [SCORES, [0, 1, 2, 0]])
    assert (str(caught.value), caught.value.path) == (message, path)


def test_accuracy_has_no_backward() -> None:
    harness = LayerHarness(f'type: "Accuracy" {NAMES}', [SCORES, [0, 1, 2, 0]])
    assert harness.layer.no_gradient == {0, 1}
    with pytest.raises(NotImplementedError):
        harness.backward([1.0])
