"""WarpCTCLoss: three forms of labels, compared with CtcLoss's alignments."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.layers.ctc import alignments
from protonet.testing import LayerHarness, check_gradients

X = np.random.default_rng(3).standard_normal((6, 3, 5))


def text(blank: int = -1, bottoms: int = 2) -> str:
    names = " ".join(f'bottom: "{name}"' for name in "abcd"[:bottoms])
    return f'type: "WarpCTCLoss" {names} ctc_loss_param {{ blank_index: {blank} }}'


def expected(sequences: list[tuple[int, list[int]]], blank: int) -> tuple[float, np.ndarray]:
    slope, total = np.zeros_like(X), 0.0
    for n, (steps, labels) in enumerate(sequences):
        loss, slope[:steps, n] = alignments(X[:steps, n], labels, blank)
        total += loss
    return total / 3, slope / 3


FORMS = [
    (4, [np.array([[1, 0, 4, 4], [2, 2, 3, 4], [4, 4, 4, 4.0]])],
     [(6, [1, 0]), (6, [2, 2, 3]), (6, [])]),
    (0, [np.array([[1] * 3, [1] * 3, [1, 0, 1], [1, 0, 1], [1, 0, 0], [1, 0, 0.0]]),
         np.array([[0, 3, 1], [2, -1, 1], [-1, 0, -1.0]])],
     [(6, [1, 3]), (2, [4]), (4, [2, 2])]),
    (3, [np.array([6, 5, 4.0]), np.array([[3], [1], [0.0]]),
         np.array([[1, 4, 0], [1, 0, 0], [2, 0, 0.0]])],
     [(6, [1, 1, 2]), (5, [4]), (4, [])]),
]  # fmt: skip


@pytest.mark.parametrize(("blank", "given", "sequences"), FORMS)
def test_labels_in_three_forms(
    blank: int, given: list[np.ndarray], sequences: list[tuple[int, list[int]]]
) -> None:
    loss, slope = expected(sequences, blank)
    harness = LayerHarness(text(blank, 1 + len(given)), [X, *given], dtype=float)
    np.testing.assert_allclose(harness.forward()[0], loss)
    found = harness.backward([2.0])
    np.testing.assert_allclose(found[0], 2 * slope)
    assert found[1:] == [None] * len(given)
    check_gradients(text(blank, 1 + len(given)), [X, *given])


def test_the_last_class_is_the_blank_without_an_index() -> None:
    labels = FORMS[0][1][0]
    (found,) = LayerHarness('type: "WarpCTCLoss"', [X, labels], dtype=float).forward()
    np.testing.assert_allclose(found, expected(FORMS[0][2], 4)[0])


@pytest.mark.parametrize(
    ("blank", "shapes", "message"),
    [
        (5, [(6, 3, 5), (3, 4)], "expected a blank of 0 to 4, one of the classes, got 5"),
        (0, [(6, 3), (3, 4)], "expected scores of steps x sequences x classes"),
        (0, [(6, 3, 5), (4, 3)], "expected 3 sequences x labels in 'b', got 4x3"),
        (0, [(6, 3, 5), (3, 6), (4, 3)], "expected 6x3 continuation marks in 'b', got 3x6"),
        (0, [(6, 3, 5), (6, 3), (3, 4)], "expected labels x 3 sequences in 'c', got 3x4"),
        (0, [(6, 3, 5), (3,), (4,), (4, 3)], "expected 3 numbers in 'c', got 4"),
    ],
)
def test_bottoms_that_cannot_be(blank: int, shapes: list[tuple[int, ...]], message: str) -> None:
    with pytest.raises(LayerError, match=message):
        LayerHarness(text(blank, len(shapes)), [np.zeros(shape) for shape in shapes])


def test_invalid_labels_and_numbers_are_named() -> None:
    labels = np.zeros((4, 3))
    with pytest.raises(LayerError, match="expected numbers of 1 to 6 in 'b', got 7"):
        LayerHarness(text(0, 4), [X, np.full(3, 7), np.ones(3), labels]).forward()
    with pytest.raises(LayerError, match="expected numbers of 1 to 6 in 'b', got 0"):
        LayerHarness(text(0, 4), [X, np.zeros(3), np.zeros(3), labels]).forward()
    with pytest.raises(LayerError, match="expected numbers of 0 to 4 in 'c', got -1"):
        LayerHarness(text(0, 4), [X, np.full(3, 6), np.full(3, -1), labels]).forward()
    with pytest.raises(LayerError, match="label 5 in 'd' is not one of 0 to 4"):
        LayerHarness(text(0, 4), [X, np.full(3, 6), np.ones(3), labels + 5]).forward()
