"""CtcLoss, CTCLoss and LabelsequenceAccuracy, beside all paths one by one."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness, check_gradients


def read(path: tuple[int, ...], blank: int) -> list[int]:
    return [label for label, _ in itertools.groupby(path) if label != blank]


def cost(scores: np.ndarray, labels: list[int], blank: int) -> float:
    """-log of the sum of the probabilities of every path that reads as the labels."""
    powers = [[math.exp(value) for value in step] for step in scores]
    y = [[value / sum(step) for value in step] for step in powers]
    paths = itertools.product(range(scores.shape[1]), repeat=len(scores))
    return -math.log(
        sum(
            math.prod(y[t][k] for t, k in enumerate(path))
            for path in paths
            if read(path, blank) == labels
        )
    )


LABELS = [[1, 1], [2, 3], [3, 0], [0, 0]]


@pytest.mark.parametrize("steps", [3, 5])
def test_the_loss_is_that_of_all_paths(steps: int) -> None:
    x = np.random.default_rng(7).standard_normal((5, 4, 4)) * 2
    text = f'type: "CtcLoss" ctc_loss_param {{ alphabet_size: 4 time_step: {steps} }}'
    (loss,) = LayerHarness(text, [x, np.array(LABELS, float)]).forward()
    each = [
        cost(x[:steps, n], [label for label in row if label], 0) for n, row in enumerate(LABELS)
    ]
    assert loss == pytest.approx(sum(each) / 4, rel=1e-5)
    check_gradients(text, [x, np.array(LABELS, float)])


@pytest.mark.parametrize(
    ("fields", "blank", "labels"),
    [
        ("", 3, [[0, 0, 1], [2], [1, 0]]),
        ("blank_index: 2", 2, [[0, 0, 1], [3], [1, 0]]),
        ("preprocess_collapse_repeated: true", 3, [[0, 0, 1], [2], [1, 0]]),
    ],
)
def test_sequences_have_their_own_lengths(fields: str, blank: int, labels: list[list[int]]) -> None:
    x = np.random.default_rng(7).standard_normal((5, 3, 4)) * 2
    lengths = [5, 1, 3]
    going, rows = np.zeros((5, 3)), np.full((5, 3), -1.0)
    for n, row in enumerate(labels):
        going[1 : lengths[n], n] = 1
        rows[: len(row), n] = row
    text = f'type: "CTCLoss" ctc_loss_param {{ {fields} }}'
    (loss,) = LayerHarness(text, [x, going, rows]).forward()
    if "collapse" in fields:
        labels = [[0, 1], *labels[1:]]
    each = [cost(x[: lengths[n], n], row, blank) for n, row in enumerate(labels)]
    assert loss == pytest.approx(sum(each) / 3, rel=1e-5)
    check_gradients(text, [x, going, rows])


def test_too_few_steps_count_nothing() -> None:
    x = np.random.default_rng(7).standard_normal((2, 2, 3))
    text = 'type: "CtcLoss" ctc_loss_param { alphabet_size: 3 time_step: 2 }'
    harness = LayerHarness(text, [x, np.array([[1.0, 1], [1, 2]])])
    (loss,) = harness.forward()
    assert loss == pytest.approx(cost(x[:, 1], [1, 2], 0) / 2, rel=1e-5)
    dx = harness.backward([np.ones(())])[0]
    assert dx is not None
    assert not dx[:, 0].any()
    assert dx[:, 1].all()


def test_large_scores_stay_finite() -> None:
    x = np.array([[[0.0, 900]], [[-900, 900]], [[900, -900]]])
    text = 'type: "CtcLoss" ctc_loss_param { alphabet_size: 2 time_step: 3 }'
    (right,) = LayerHarness(text, [x, np.array([[1.0]])]).forward()
    (wrong,) = LayerHarness(text, [x, np.array([[0.0]])]).forward()
    assert right == 0
    assert wrong == 2700


def test_the_accuracy_counts_whole_sequences() -> None:
    paths = [(0, 1, 1, 0, 1), (2, 2, 2, 3, 0), (3, 0, 3, 3, 0), (0, 0, 0, 0, 0), (1, 2, 0, 0, 0)]
    labels = np.array([[1, 1, 0], [2, 3, 0], [3, 0, 0], [0, 0, 0], [0, 1, 2]], float)
    x = np.eye(4)[np.array(paths)]
    right = [
        read(path, 0) == [k for k in row if k] for path, row in zip(paths, labels, strict=True)
    ]
    (found,) = LayerHarness('type: "LabelsequenceAccuracy"', [x, labels]).forward()
    assert right == [True, True, False, True, True]
    assert found == pytest.approx(0.8)
    text = 'type: "LabelsequenceAccuracy" labelsequence_accuracy_param { blank_label: 3 }'
    (found,) = LayerHarness(text, [x[:1], np.array([[0.0, 1, 0, 1, 3]])]).forward()
    assert found == 1


FULL = "ctc_loss_param { alphabet_size: 4 time_step: 5"


@pytest.mark.parametrize(
    ("text", "shapes", "message", "path"),
    [
        (
            'type: "CtcLoss" ctc_loss_param { time_step: 5 }',
            [(5, 2, 4), (2, 3)],
            "needs alphabet_size above 0",
            ("ctc_loss_param",),
        ),
        (
            'type: "CtcLoss" ctc_loss_param { alphabet_size: 5 }',
            [(5, 2, 4), (2, 3)],
            "needs time_step above 0",
            ("ctc_loss_param",),
        ),
        (
            f'type: "CtcLoss" {FULL} }}',
            [(5, 2, 3), (2, 3)],
            "expected an alphabet_size of 3",
            ("ctc_loss_param", "alphabet_size"),
        ),
        (
            f'type: "CtcLoss" {FULL} }}',
            [(4, 2, 4), (2, 3)],
            "expected a time_step of at most 4",
            ("ctc_loss_param", "time_step"),
        ),
        (
            f'type: "CtcLoss" {FULL} blank_label: 4 }}',
            [(5, 2, 4), (2, 3)],
            "expected a blank of 0 to 3, one of the classes, got 4",
            ("ctc_loss_param",),
        ),
        (f'type: "CtcLoss" {FULL} }}', [(5, 4), (2, 3)], "expected scores of", ("bottom", 0)),
        (
            f'type: "CtcLoss" {FULL} }}',
            [(5, 2, 4), (5, 2)],
            "expected labels of 2 sequences",
            ("bottom", 1),
        ),
        (
            'type: "CTCLoss" ctc_loss_param { output_delay: 1 }',
            [(5, 2, 4), (5, 2), (3, 2)],
            "output_delay is not supported",
            ("ctc_loss_param", "output_delay"),
        ),
        (
            'type: "CTCLoss" ctc_loss_param { ctc_merge_repeated: false }',
            [(5, 2, 4), (5, 2), (3, 2)],
            "expected ctc_merge_repeated: true",
            ("ctc_loss_param", "ctc_merge_repeated"),
        ),
        (
            'type: "CTCLoss"',
            [(5, 2, 4), (2, 5), (3, 2)],
            "expected 5x2 continuation marks in 'x1', got 2x5",
            ("bottom", 1),
        ),
        (
            'type: "CTCLoss"',
            [(5, 2, 4), (5, 2), (2, 3)],
            "expected labels x 2 sequences in 'x2', got 2x3",
            ("bottom", 2),
        ),
        (
            'type: "LabelsequenceAccuracy"',
            [(5, 2, 4), (2, 3)],
            "expected labels of 5 sequences",
            ("bottom", 1),
        ),
        ('type: "LabelsequenceAccuracy"', [(5, 2), (5, 3)], "expected scores of", ("bottom", 0)),
        (
            'type: "LabelsequenceAccuracy" loss_weight: 1',
            [(5, 2, 4), (5, 3)],
            "an accuracy has no gradient",
            ("loss_weight",),
        ),
    ],
)
def test_wrong_use_is_refused(
    text: str, shapes: list[tuple[int, ...]], message: str, path: tuple[object, ...]
) -> None:
    with pytest.raises(LayerError, match=message) as caught:
        LayerHarness(text, [np.zeros(shape) for shape in shapes])
    assert caught.value.path == path


@pytest.mark.parametrize("label", [-1.0, 4.0, math.nan])
def test_a_label_that_is_no_class_is_named(label: float) -> None:
    bottoms = [np.zeros((5, 1, 4)), np.array([[1, label]])]
    with pytest.raises(LayerError, match="is not one of 0 to 3, the classes"):
        LayerHarness(f'type: "CtcLoss" {FULL} }}', bottoms).forward()
