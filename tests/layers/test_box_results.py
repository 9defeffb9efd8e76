"""FrcnnOutput."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness

REGIONS = np.array([[0, 10, 10, 29, 29], [0, 12, 10, 31, 29], [0, 50, 40, 89, 59.0]])
SIZE = np.array([[70.0, 80.0]])
SCORES = np.array([[0.1, 0.6, 0.3], [0.1, 0.8, 0.1], [0.5, 0.05, 0.45]])


def found(fields: str, offsets: np.ndarray, more: str = "") -> np.ndarray:
    text = f'type: "FrcnnOutput" {more} frcnn_output_param {{ {fields} }}'
    harness = LayerHarness(text, [SCORES, offsets, REGIONS, SIZE], dtype=float)
    (top,) = harness.forward()
    assert top.shape[1:] == (7, 1, 1)
    np.testing.assert_array_equal(top[0].ravel(), [0, *[-1] * 6])
    rows: np.ndarray = top[1:].reshape(-1, 7)
    return rows


def test_boxes_by_class_clipped_and_without_neighbours() -> None:
    """The last pixel belongs to a box; ends are clipped at width and height."""
    np.testing.assert_allclose(
        found("conf_thr: 0.2", np.zeros((3, 12))),
        [
            [0, 12, 10, 31, 29, 1, 0.8],  # overlaps the first by 18 / 22
            [0, 50, 40, 80, 59, 2, 0.45],
            [0, 10, 10, 29, 29, 2, 0.3],
        ],
    )


def test_offsets_move_boxes() -> None:
    offsets = np.zeros((3, 12))
    offsets[0, 4:8] = [1, 0.5, np.log(2), 0]
    more = "bbox_reg_param { bbox_mean: [0, 0.1, 0, 0] bbox_std: [0.5, 1, 1, 1] }"
    rows = found("conf_thr: 0.55 iou_thr: 0.9", offsets, more)
    # Moved by half a width and 0.6 heights, and twice as wide; the second by the mean alone.
    np.testing.assert_allclose(
        rows, [[0, 12, 12, 31, 31, 1, 0.8], [0, 10, 22, 49, 41, 1, 0.6]]
    )  # fmt: skip


def test_offsets_of_no_class() -> None:
    offsets = np.zeros((3, 8))
    offsets[2, 4] = -0.5
    rows = found("conf_thr: 0.4", offsets, "bbox_reg_param { cls_aware: false }")
    np.testing.assert_allclose(rows[1], [0, 30, 40, 69, 59, 2, 0.45])


def test_the_best_of_an_image() -> None:
    rows = found("max_det_num: 2", np.zeros((3, 12)))
    np.testing.assert_allclose(rows[:, 5:], [[1, 0.8], [2, 0.45]])
    assert len(found("conf_thr: 0.9", np.zeros((3, 12)))) == 0


@pytest.mark.parametrize(
    ("text", "shapes", "message"),
    [
        ("nms_type: 'IOMU'", [(3, 3), (3, 12), (3, 5), (1, 2)], "expected nms_type IOU, got"),
        ("iou_thr: -1", [(3, 3), (3, 12), (3, 5), (1, 2)], "expected iou_thr of 0 or more, got -1"),
        ("save_output_param { output_directory: 'x' }", [(3, 3), (3, 12), (3, 5), (1, 2)],
         "write no files here"),
        ("", [(3, 3), (2, 12), (3, 5), (1, 2)], "expected R x ... in 'b'"),
        ("", [(3, 3), (3, 8), (3, 5), (1, 2)], "and R x 12 offsets, got 3x3 and 3x8"),
        ("", [(3, 1), (3, 4), (3, 5), (1, 2)], "two classes or more"),
        ("", [(3, 3), (3, 12), (3, 4), (1, 2)], "expected 3 x 5 or 6 in 'c', got 3x4"),
        ("", [(3, 3), (3, 12), (3, 5), (2, 2)], "expected 1 x 2 in 'd', got 2x2"),
    ],
)  # fmt: skip
def test_outputs_that_cannot_be(text: str, shapes: list[tuple[int, ...]], message: str) -> None:
    names = " ".join(f'bottom: "{name}"' for name in "abcd")
    with pytest.raises(LayerError, match=message):
        LayerHarness(
            f'type: "FrcnnOutput" {names} frcnn_output_param {{ {text} }}',
            [np.zeros(shape) for shape in shapes],
        )


@pytest.mark.parametrize(("place", "value"), [((1, 0), 1), ((1, 3), 5)])
def test_invalid_regions_are_named(place: tuple[int, int], value: float) -> None:
    regions = REGIONS.copy()
    regions[place] = value
    with pytest.raises(LayerError, match="in 'x2', got row 1: "):
        LayerHarness(
            'type: "FrcnnOutput"', [SCORES, np.zeros((3, 12)), regions, SIZE]
        ).forward()  # fmt: skip
