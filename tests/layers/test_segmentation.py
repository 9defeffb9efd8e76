"""SegAccuracy, beside a matrix of confusion that is counted pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness


def confusion(x: np.ndarray, label: np.ndarray, ignore: set[int]) -> np.ndarray:
    """How many pixels of each class (rows) are told to be of each class (columns)."""
    n, classes, height, width = x.shape
    found = np.zeros((max(2, classes), max(2, classes)))
    for i, h, w in np.ndindex(n, height, width):
        scores = list(x[i, :, h, w])
        told = int(scores[0] > 0.5) if classes == 1 else scores.index(max(scores))
        if int(label[i, 0, h, w]) not in ignore:
            found[int(label[i, 0, h, w]), told] += 1
    return found


def measures(matrix: np.ndarray) -> list[float]:
    recalls, overlaps = [], []
    for c in range(len(matrix)):
        union = matrix[c].sum() + matrix[:, c].sum() - matrix[c, c]
        overlaps.append(matrix[c, c] / union if union else 1.0)
        if matrix[c].sum():
            recalls.append(matrix[c, c] / matrix[c].sum())
    return [np.trace(matrix) / matrix.sum(), sum(recalls) / len(recalls), np.mean(overlaps)]


def maps(classes: int, seed: int = 3) -> list[np.ndarray]:
    """Scores and labels; the last class has no pixel."""
    generator = np.random.default_rng(seed)
    x = generator.uniform(0, 1, (2, classes, 4, 5))
    label = generator.integers(0, max(2, classes - 1), (2, 1, 4, 5)).astype(float)
    return [x, label]


@pytest.mark.parametrize("classes", [1, 2, 5])
def test_the_measures_are_those_of_the_confusion(classes: int) -> None:
    x, label = maps(classes)
    label[0, 0, 1:3] = 255
    (top,) = LayerHarness('type: "SegAccuracy" seg_accuracy_param { ignore_label: 255 }',
                          [x, label], dtype=np.float64).forward()  # fmt: skip
    assert top.shape == (1, 1, 1, 3)
    np.testing.assert_allclose(top.ravel(), measures(confusion(x, label, {255})), rtol=1e-12)


def test_several_labels_are_ignored_and_several_told() -> None:
    x, label = maps(5)
    label[1, 0, 0] = 255
    param = "ignore_label: 255 ignore_label: 0 output_label: 2 output_label: 4"
    text = f'type: "SegAccuracy" top: "a" top: "b" top: "c" seg_accuracy_param {{ {param} }}'
    tops = [top.ravel() for top in LayerHarness(text, [x, label], dtype=np.float64).forward()]
    matrix = confusion(x, label, {0, 255})
    np.testing.assert_allclose(tops[0], measures(matrix), rtol=1e-12)
    hits, pixels, told = matrix[2, 2], matrix[2].sum(), matrix[:, 2].sum()
    expected = [hits / told, hits / pixels, hits / (pixels + told - hits)]
    np.testing.assert_allclose(tops[1], expected, rtol=1e-12)
    np.testing.assert_array_equal(tops[2], [0, 0, 0])


def test_where_nothing_counts() -> None:
    x, label = maps(3)
    text = 'type: "SegAccuracy" seg_accuracy_param { ignore_label: 9 }'
    (top,) = LayerHarness(text, [x, np.full_like(label, 9)]).forward()
    np.testing.assert_array_equal(top.ravel(), [0, 0, 1])


def test_of_equal_scores_the_first_is_told() -> None:
    (top,) = LayerHarness('type: "SegAccuracy"', [np.ones((1, 3, 1, 2)), [[[[0, 2]]]]]).forward()
    np.testing.assert_allclose(top.ravel(), [0.5, 0.5, (0.5 + 1 + 0) / 3])


@pytest.mark.parametrize("reset", [True, False])
def test_without_reset_all_passes_count(reset: bool) -> None:
    text = f'type: "SegAccuracy" seg_accuracy_param {{ reset: {str(reset).lower()} }}'
    first, second = maps(4), maps(4, seed=5)
    harness = LayerHarness(text, first, dtype=np.float64)
    harness.forward()
    harness.inputs = second
    (top,) = harness.forward()
    matrix = confusion(*second, set())
    if not reset:
        matrix = matrix + confusion(*first, set())
    np.testing.assert_allclose(top.ravel(), measures(matrix), rtol=1e-12)


@pytest.mark.parametrize(
    ("fields", "shape", "message"),
    [
        ("seg_accuracy_param { output_label: 1 }", (2, 1, 4, 5), "expected 2 tops"),
        ('top: "a" top: "b"', (2, 1, 4, 5), "expected 1 tops"),
        (
            'top: "a" top: "b" seg_accuracy_param { output_label: 3 }',
            (2, 1, 4, 5),
            "expected 0 <= output_label < 3, the number of classes, got 3",
        ),
        ("loss_weight: 1", (2, 1, 4, 5), "no gradient"),
        ("", (2, 1, 4, 4), "expected one label in 'label' for each of the 40 items of 'x'"),
        ("", (2, 1, 4, 5), "label 7 in 'label' is not one of the 3 classes 0 to 2"),
    ],
)
def test_wrong_use(fields: str, shape: tuple[int, ...], message: str) -> None:
    text = f'type: "SegAccuracy" bottom: "x" bottom: "label" {fields}'
    with pytest.raises(LayerError, match=message.replace("(", "[(]")):
        LayerHarness(text, [np.zeros((2, 3, 4, 5)), np.full(shape, 7)]).forward()
