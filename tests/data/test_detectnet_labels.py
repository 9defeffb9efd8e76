"""Boxes in DIGITS' form."""

from __future__ import annotations

import numpy as np

from protonet.data.boxes import Objects
from protonet.data.datum import decode
from protonet.data.detectnet_labels import label_record, label_table, table_rows

BOXES = np.array([[0.25, 0, 0.5, 0.5], [0, 0.5, 1, 1], [0.5, 0.5, 0.75, 0.75]], np.float32)


def test_boxes_in_pixels_after_their_number() -> None:
    """Without depths the last one is first, as DIGITS' sort makes it."""
    marks = np.array([[1, 0, 0], [3, 0, 1], [2, 0, 0]], np.float32)
    table = label_table(Objects(BOXES, marks), (20, 40), 5)
    assert table.shape == (1, 5, 16)
    assert table.dtype == np.float32
    assert table[0, 0].tolist() == [3, 16] + [0] * 14
    assert table[0, 1:, :6].tolist() == [
        [20, 10, 10, 5, 0, 2], [0, 10, 40, 10, 0, 3], [10, 0, 10, 10, 0, 1], [0] * 6
    ]  # fmt: skip
    assert not table[0, 1:, 6:].any()


def test_details_of_kitti_and_the_farthest_box_first() -> None:
    details = np.arange(30, dtype=np.float32).reshape(3, 10)
    details[:, -1] = [5, 50, 20]
    marks = np.concatenate([np.array([[1, 0, 0], [1, 1, 0], [2, 0, 0]]), details], axis=1)
    table = label_table(Objects(BOXES, marks.astype(np.float32)), (20, 40), 4)
    assert table[0, 1:, -1].tolist() == [50, 20, 5]
    # x, y, width, height, alpha, class, 0, then the others
    assert table[0, 3].tolist() == [10, 0, 10, 10, 0, 1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 5]


def test_no_box() -> None:
    nothing = Objects(np.zeros((0, 4), np.float32), np.zeros((0, 3), np.float32))
    table = decode(label_record(nothing, (20, 40), 2), "here")
    assert table.shape == (1, 2, 16)
    assert table[0, 0].tolist() == [0, 16] + [0] * 14


def test_rows_for_the_most_boxes() -> None:
    some = Objects(BOXES, np.zeros((3, 3), np.float32))
    nothing = Objects(np.zeros((0, 4), np.float32), np.zeros((0, 3), np.float32))
    assert table_rows([nothing, some]) == 4
    assert table_rows([nothing]) == 2
    assert table_rows([]) == 2
