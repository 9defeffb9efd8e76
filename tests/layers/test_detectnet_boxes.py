"""The Python layers of DetectNet: boxes of cells, groups of them, precision and recall."""

from __future__ import annotations

import math

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness


def layer(module: str, name: str, tops: int, param_str: str) -> str:
    names = " ".join(f'top: "t{place}"' for place in range(tops))
    return (
        f'type: "Python" {names} python_param {{ module: "caffe.layers.detectnet.{module}" '
        f'layer: "{name}" param_str: "{param_str}" }}'
    )


def truths(tops: int = 2, param_str: str = "24, 16, 4, 2, 3") -> str:
    return layer("clustering", "ClusterGroundtruth", tops, param_str)


def found(tops: int = 1, param_str: str = "24,16,4,0.5,1,0.2,4") -> str:
    return layer("clustering", "ClusterDetections", tops, param_str)


def grid(*boxes: tuple[float, ...], classes: int = 2) -> list[np.ndarray]:
    """Coverage and corners of 2 images of 24 x 16 in cells of 4 x 4: the first image has boxes of
    (class, first row, last row, first column, last column, corners in pixels ...).
    """
    coverage, corners = np.zeros((2, classes, 4, 6)), np.zeros((2, 4, 4, 6))
    for label, top, bottom, left, right, *box in boxes:
        for row in range(int(top), int(bottom) + 1):
            for column in range(int(left), int(right) + 1):
                coverage[0, int(label), row, column] = 1
                corners[0, :, row, column] = np.array(box) - [column * 4, row * 4] * 2
    return [coverage, corners]


def test_each_box_of_the_labels_once() -> None:
    boxes = grid((0, 0, 1, 0, 1, 1.5, 2, 9, 8.25), (1, 2, 3, 3, 5, 11, 7, 23, 16))
    tops = LayerHarness(truths(), boxes).forward()
    assert [top.shape for top in tops] == [(2, 3, 5)] * 2
    expected = np.zeros((2, 2, 3, 5))
    expected[0, 0, 0] = [1.5, 2, 9, 8.25, 0]
    expected[1, 0, 0] = [11, 7, 23, 16, 0]
    np.testing.assert_allclose(np.stack(tops), expected, atol=1e-5)


def test_more_boxes_than_there_are_rows() -> None:
    boxes = grid(*[(0, 0, 0, at, at, at * 4, 0, at * 4 + 5, 6) for at in range(5)], classes=1)
    (top,) = LayerHarness(truths(1, "24, 16, 4, 1, 3"), boxes).forward()
    assert top[0, :, 0].tolist() == [0, 4, 8]


def test_similar_neighbours_become_one_box() -> None:
    coverage, corners = grid((0, 0, 1, 0, 1, 1, 2, 9, 8), classes=1)
    corners[0, 0, 0, 0] += 0.6  # rounds to 2: the mean of 2, 1, 1, 1 is 1
    coverage[0, 0, 3, 5], corners[0, :, 3, 5] = 0.4, 1  # below the threshold
    coverage[0, 0, 2, 0], corners[0, :, 2, 0] = 0.9, [0, -8, 20, 8]  # alone
    (top,) = LayerHarness(found(), [coverage, corners]).forward()
    assert top.shape == (2, 50, 5)
    np.testing.assert_allclose(top[0, 0], [1, 2, 9, 8, math.log(4)], rtol=1e-6)
    assert not top[0, 1:].any()
    assert not top[1].any()


def test_low_boxes_are_left_out_and_the_largest_groups_stay() -> None:
    low = grid((0, 0, 0, 0, 1, 0, 0, 9, 3), classes=1)
    (top,) = LayerHarness(found(), low).forward()
    assert not top.any()
    boxes = grid(
        (0, 0, 0, 0, 1, 0, 0, 7, 5), (0, 2, 3, 0, 1, 0, 8, 8, 16), (0, 0, 1, 3, 5, 12, 0, 24, 8),
        classes=1,
    )  # fmt: skip
    (top,) = LayerHarness(found(1, "24,16,4,0.5,1,0.2,4,1,2"), boxes).forward()
    np.testing.assert_allclose(top[0, :, 4], np.log([6, 4]), rtol=1e-6)
    assert top[0, :, 0].tolist() == [12, 0]


def test_values_that_are_no_numbers_give_no_boxes() -> None:
    coverage, corners = grid((0, 0, 1, 0, 1, 1, 2, 9, 8), classes=1)
    corners[:] = np.nan
    (top,) = LayerHarness(found(), [coverage, corners]).forward()
    assert not top.any()


def test_right_wrong_and_missed() -> None:
    objects, boxes = np.zeros((2, 3, 5)), np.zeros((2, 4, 5))
    objects[0, :2, :4] = [[0, 0, 10, 10], [20, 20, 30, 30]]
    boxes[0, :3] = [[40, 40, 50, 50, 2], [0, 0, 10, 9, 1], [1, 0, 10, 10, 3]]
    boxes[1, 0] = [5, 5, 9, 9, 0.5]
    (top,) = LayerHarness(layer("mean_ap", "ScoreDetections", 1, "0.5"), [objects, boxes]).forward()
    assert top.shape == (2, 7, 5)
    assert top[0, :4].tolist() == [
        [0, 0, 10, 9, 1], [40, 40, 50, 50, 2], [1, 0, 10, 10, 2], [20, 20, 30, 30, 3]
    ]  # fmt: skip
    assert top[1, 0].tolist() == [5, 5, 9, 9, 2]
    assert not top[0, 4:].any()
    values = LayerHarness(layer("mean_ap", "mAP", 3, "640, 640, 16"), [top]).forward()
    np.testing.assert_allclose([v.item() for v in values], [12.5, 25, 50])


def test_the_usual_overlap_and_no_boxes_at_all() -> None:
    objects, boxes = np.zeros((1, 1, 5)), np.zeros((1, 1, 5))
    objects[0, 0, :4], boxes[0, 0, :4] = [0, 0, 10, 10], [0, 0, 10, 6]
    (top,) = LayerHarness(layer("mean_ap", "ScoreDetections", 1, ""), [objects, boxes]).forward()
    assert top[0, :, 4].tolist() == [2, 3]
    values = LayerHarness(layer("mean_ap", "mAP", 3, ""), [np.zeros((2, 3, 5))]).forward()
    assert [value.tolist() for value in values] == [[0], [0], [0]]


@pytest.mark.parametrize(
    ("text", "bottoms", "message"),
    [
        (truths(param_str="24, 16"), [(2, 2, 4, 6), (2, 4, 4, 6)],
         "expects a whole number as stride in param_str .*: it is missing"),
        (truths(param_str="24, 16, x"), [(2, 2, 4, 6), (2, 4, 4, 6)], "got 'x'"),
        (truths(param_str="24,16,4,2,3,9"), [(2, 2, 4, 6), (2, 4, 4, 6)], "expects 5 numbers"),
        (truths(1), [(2, 2, 4, 6), (2, 4, 4, 6)], "a top for each of 2 class"),
        (truths(), [(2, 3, 4, 6), (2, 4, 4, 6)], "expects 2 x 2 x 4 x 6 as bottom 0"),
        (truths(), [(2, 2, 4, 6), (2, 4, 3, 6)], "expects 2 x 4 x 4 x 6 as bottom 1"),
        (truths(param_str="3, 16, 4, 2"), [(2, 2, 4, 6), (2, 4, 4, 6)], "images of a stride of 4"),
        (truths(param_str="24, 16, 0, 2"), [(2, 2, 4, 6), (2, 4, 4, 6)], "1 to"),
        (found(param_str="24,16,4,0.5"), [(2, 1, 4, 6), (2, 4, 4, 6)], "gridbox_rect_threshold"),
        (layer("mean_ap", "ScoreDetections", 1, ""), [(2, 3, 5), (1, 3, 5)], "expects 2 x R x 5"),
        (layer("mean_ap", "mAP", 2, ""), [(2, 3, 5)], "expects 3 top blob"),
    ],
)  # fmt: skip
def test_what_is_refused(text: str, bottoms: list[tuple[int, ...]], message: str) -> None:
    with pytest.raises(LayerError, match=message):
        LayerHarness(text, [np.zeros(shape) for shape in bottoms])
