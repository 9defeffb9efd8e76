"""Labels of YOLO losses, and which boxes stand for them; more in test_yolo_losses.py."""

from __future__ import annotations

import math

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.layers.yolo_truths import best_overlap, corners_of
from tests.layers.test_yolo_losses import LABELS, region, yolov3


def test_the_shape_of_most_overlap() -> None:
    sizes = np.array([[1, 1], [3, 2], [2, 5.0]])
    assert best_overlap(np.array([1.2, 1.1]), sizes) == 0
    assert best_overlap(np.array([3, 3]), sizes) == 1
    assert best_overlap(np.array([2, 4]), sizes) == 2
    assert best_overlap(np.array([9, 9]), sizes) == 2


def test_rows_are_centres_and_sizes() -> None:
    assert corners_of(np.array([[1, 0.5, 0.25, 0.5, 0.25]])).tolist() == [
        [0.25, 0.125, 0.75, 0.375]
    ]


def test_rows_end_before_the_first_without_width() -> None:
    harness = region()
    (loss,) = harness.forward()
    harness.inputs[1] = np.array(LABELS, harness.dtype)
    harness.inputs[1][1, 2:] = [[1, 0.1, 0.1, 0, 0], [2, 0.2, 0.2, 0.3, 0.3]]
    (same,) = harness.forward()
    assert same == loss


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([3, 0.5, 0.5, 0.1, 0.1], r"expected a class of 0 to 2 in row 1 of image 1 of 'x1', got 3"),
        ([-1, 0.5, 0.5, 0.1, 0.1], "expected a class of 0 to 2"),
        ([0, 1, 0.5, 0.1, 0.1], "expected x and y of 0 up to 1"),
        ([0, 0.5, math.nan, 0.1, 0.1], "expected x and y of 0 up to 1"),
        ([0, 0.5, 0.5, 0.1, 0], "expected width and height above 0"),
        ([0, 0.5, 0.5, math.inf, 0.1], "expected width and height above 0"),
    ],
)
def test_labels_that_cannot_be_are_refused(row: list[float], message: str) -> None:
    for harness in (region(), yolov3()):
        harness.inputs[1] = np.array(LABELS, harness.dtype)
        harness.inputs[1][1, 1:] = [row, [0] * 5, [0] * 5]
        with pytest.raises(LayerError, match=message):
            harness.forward()
