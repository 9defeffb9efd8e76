"""Boxes as DIGITS stores them for DetectNet: a table for each image, in a database of labels.

Source: NVIDIA/DIGITS, digits/extensions/data/objectDetection/utils.py and data.py.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from protonet.data.boxes import Objects
from protonet.data.datum import make_datum
from protonet.data.detectnet import LABEL
from protonet.proto.caffe_pb2 import Datum

DETAILS = 10
"""Numbers of KITTI's labels behind the marks of a box: alpha, rotation, truncated, occluded,
length, width, height, x, y, z."""
_MARKS = 3
_CLASS = 5


def table_rows(images: Iterable[Objects]) -> int:
    """The rows that the tables of these images need: the most boxes of one image, and one."""
    return 1 + max(1, *(len(objects.boxes) for objects in images), 0)


def label_table(objects: Objects, size: tuple[int, int], rows: int) -> np.ndarray:
    """The table of an image of ``size`` (height, width), float32 (1, rows, LABEL).

    First the number of boxes and LABEL; then for each box x, y, width and height in pixels, alpha,
    class, 0 and the other details, where ``objects.marks`` has them. The farthest box is first,
    and of equal ones the last.
    """
    table = np.zeros((1, rows, LABEL), np.float32)
    count = len(objects.boxes)
    table[0, 0, :2] = count, LABEL
    if not count:
        return table
    details = objects.marks[:, _MARKS : _MARKS + DETAILS]
    if details.shape[1] < DETAILS:
        details = np.zeros((count, DETAILS), np.float32)
    corners = objects.boxes * np.array([size[1], size[0]] * 2, np.float32)
    boxes = table[0, 1 : 1 + count]
    boxes[:, :2], boxes[:, 2:4] = corners[:, :2], corners[:, 2:] - corners[:, :2]
    boxes[:, 4], boxes[:, _CLASS], boxes[:, 7:] = details[:, 0], objects.marks[:, 0], details[:, 1:]
    boxes[:] = boxes[np.argsort(boxes[:, -1], kind="stable")[::-1]]
    return table


def label_record(objects: Objects, size: tuple[int, int], rows: int) -> Datum:
    """The record of ``label_table``."""
    return make_datum(label_table(objects, size, rows))
