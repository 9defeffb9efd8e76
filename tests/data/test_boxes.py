"""Boxes that are cut, mirrored and resized: numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.data.boxes import (
    Objects,
    coverage,
    extrapolated,
    intersection,
    iou,
    mirrored,
    project,
    resized,
)
from protonet.proto.caffe_pb2 import EmitConstraint, ResizeParameter

WINDOW = np.array([0.5, 0, 1, 0.5], np.float32)
BOXES = np.array([[0.25, 0, 0.75, 0.5], [0, 0, 0.5, 1], [0.6, 0.1, 0.7, 0.2]], np.float32)


def objects(boxes: np.ndarray = BOXES) -> Objects:
    marks = np.arange(3 * len(boxes), dtype=np.float32).reshape(-1, 3)
    return Objects(np.asarray(boxes, np.float32), marks)


def test_measures() -> None:
    np.testing.assert_allclose(intersection(BOXES, WINDOW), [0.125, 0, 0.01], atol=1e-7)
    np.testing.assert_allclose(iou(BOXES, WINDOW), [0.125 / 0.375, 0, 0.01 / 0.25], atol=1e-6)
    np.testing.assert_allclose(coverage(BOXES, WINDOW), [0.5, 0, 1], atol=1e-6)


def test_a_window_moves_clips_and_drops() -> None:
    found = project(objects(), WINDOW, None)
    np.testing.assert_allclose(found.boxes, [[0, 0, 0.5, 1], [0.2, 0.2, 0.4, 0.4]], atol=1e-6)
    np.testing.assert_array_equal(found.marks, [[0, 1, 2], [6, 7, 8]])


def test_a_window_beyond_the_image_makes_boxes_smaller() -> None:
    found = project(objects(BOXES[:1]), np.array([-1, -1, 1, 1], np.float32), None)
    np.testing.assert_allclose(found.boxes, [[0.625, 0.5, 0.875, 0.75]], atol=1e-6)


@pytest.mark.parametrize(
    ("emit", "kept"),
    [
        (EmitConstraint(emit_type=EmitConstraint.CENTER), [0, 6]),
        (EmitConstraint(emit_type=EmitConstraint.MIN_OVERLAP, emit_overlap=0.4), [0, 6]),
        (EmitConstraint(emit_type=EmitConstraint.MIN_OVERLAP, emit_overlap=0.6), [6]),
    ],
)
def test_emit_constraints(emit: EmitConstraint, kept: list[float]) -> None:
    assert project(objects(), WINDOW, emit).marks[:, 0].tolist() == kept


def test_a_centre_outside_is_dropped() -> None:
    window = np.array([0.55, 0, 1, 1], np.float32)
    emit = EmitConstraint(emit_type=EmitConstraint.CENTER)
    assert project(objects(), window, emit).marks[:, 0].tolist() == [6]
    assert project(objects(), window, None).marks[:, 0].tolist() == [0, 6]


def test_mirrored() -> None:
    np.testing.assert_allclose(
        mirrored(objects()).boxes, [[0.25, 0, 0.75, 0.5], [0.5, 0, 1, 1], [0.3, 0.1, 0.4, 0.2]]
    )


def test_padding_moves_boxes_and_the_other_ways_do_not() -> None:
    pad = ResizeParameter(resize_mode=ResizeParameter.FIT_LARGE_SIZE_AND_PAD, height=100, width=100)
    box = objects(np.array([[0.1, 0.2, 0.5, 0.8]]))
    # 20x40 (height x width) becomes 50x100, with 25 rows above and below.
    np.testing.assert_allclose(resized(box, pad, (20, 40)).boxes, [[0.1, 0.35, 0.5, 0.65]])
    np.testing.assert_allclose(resized(box, pad, (40, 10)).boxes, [[0.4, 0.2, 0.5, 0.8]], atol=1e-6)
    warp = ResizeParameter(height=10, width=30)
    np.testing.assert_allclose(resized(box, warp, (20, 40)).boxes, box.boxes)


def test_extrapolated() -> None:
    param = ResizeParameter(
        resize_mode=ResizeParameter.FIT_SMALL_SIZE,
        height=100,
        width=100,
        height_scale=50,
        width_scale=25,
    )
    box = objects(np.array([[0.1, 0.2, 0.5, 0.8]]))
    # 20x40 becomes 100x200, of which the window takes 100x100.
    window = np.array([0.25, 0, 0.75, 1], np.float32)
    found = extrapolated(box, param, (20, 40), window).boxes
    np.testing.assert_allclose(found, [[0.4, 0.4, 2, 1.6]], atol=1e-6)
    param.ClearField("height_scale")
    assert extrapolated(box, param, (20, 40), window) is box
