"""Accuracy."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness

NAMES = 'bottom: "output" bottom: "label"'

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


def test_the_lowest_distance_may_be_the_best() -> None:
    scores = np.array([[3, 1, 2], [1, 2, 3], [1, 0, 5]])
    text = 'type: "Accuracy" accuracy_param { min_is_better: true %s }'
    labels = np.array([1, 1, 0])
    assert LayerHarness(text % "", [scores, labels]).forward()[0] == np.float32(1 / 3)
    assert LayerHarness(text % "top_k: 2", [scores, labels]).forward()[0] == 1
