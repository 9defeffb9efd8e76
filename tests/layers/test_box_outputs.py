"""BoxOutput and BoxGroupOutput, against loops as their forks have them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness

NORM = "bbox_reg_param { bbox_mean: [0.1, 0, -0.1, 0.2] bbox_std: [0.5, 1, 2, 0.7] }"
MEAN, STD = [0.1, 0, -0.1, 0.2], [0.5, 1, 2, 0.7]


def overlap(a: list[float], b: list[float], last: int) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0]) + last
    height = min(a[3], b[3]) - max(a[1], b[1]) + last
    if width <= 0 or height <= 0:
        return 0.0
    sizes = [(box[2] - box[0] + last) * (box[3] - box[1] + last) for box in (a, b)]
    return width * height / (sum(sizes) - width * height)


def thinned(found: list[list[float]], most: float, last: int) -> list[list[float]]:
    kept: list[list[float]] = []
    for box in sorted(found, key=lambda row: -row[4]):
        if all(overlap(box, other, last) <= most for other in kept):
            kept.append(box)
    return kept


def box_of(offsets: np.ndarray, field: tuple[int, int], place: tuple[int, int], stride: int
           ) -> tuple[float, float, float, float]:  # fmt: skip
    """Start and size of a box; centres may move by half a field, extents change by 2."""
    moved = offsets * STD + MEAN
    centre = np.clip(moved[:2], -0.5, 0.5) * field + (np.array(place) + 0.5) * stride
    size = field * np.exp(np.clip(moved[2:], -math.log(2), math.log(2)))
    x, y = centre - size / 2
    return float(x), float(y), float(size[0]), float(size[1])


def test_boxes_of_levels_by_loops() -> None:
    generator = np.random.default_rng(4)
    levels = [generator.normal(0, 1, shape) for shape in ((2, 7, 4, 6), (2, 7, 2, 3))]
    fields, strides = [(20, 30), (40, 24)], [8, 16]
    expected: list[list[float]] = []
    for image in range(2):
        found = []
        for maps, field, stride in zip(levels, fields, strides, strict=True):
            height, width = maps.shape[2:]
            for i in range(height):
                for j in range(width):
                    values = maps[image, :, i, j]
                    score = values[1:3].max() - values[0]
                    x, y, w, h = box_of(values[3:], field, (j, i), stride)
                    x, y = max(x, 0), max(y, 0)
                    w, h = min(w, width * stride - x), min(h, height * stride - y)
                    if score >= -0.5 and w >= 12 and h >= 12:
                        found.append([x, y, x + w, y + h, score])
        expected += [[image, *row] for row in thinned(found, 0.4, 0)[:5]]
    text = f"""type: "BoxOutput" top: "rois" top: "scored" {NORM} box_output_param {{
        fg_thr: -0.5 iou_thr: 0.4 field_w: [20, 40] field_h: [30, 24] downsample_rate: [8, 16]
        max_post_nms_num: 5 min_size: 12 }}"""
    rois, scored = LayerHarness(text, levels, dtype=float).forward()
    assert len(expected) == 10
    assert rois.shape == (10, 5, 1, 1)
    np.testing.assert_allclose(scored.reshape(-1, 6), expected, rtol=1e-6)
    np.testing.assert_array_equal(rois.reshape(-1, 5), scored.reshape(-1, 6)[:, :5])


def test_boxes_of_groups_by_loops() -> None:
    generator = np.random.default_rng(4)
    probabilities, offsets = (
        generator.uniform(size=(4, 3, 3, 5)),
        generator.normal(size=(4, 4, 3, 5)),
    )
    fields, stride = [(20, 30), (40, 24)], 8
    expected: list[list[float]] = []
    for image in range(2):
        found = []
        for group, field in enumerate(fields):
            for i in range(3):
                for j in range(5):
                    score = 1 - probabilities[2 * image + group, 0, i, j]
                    x, y, w, h = box_of(offsets[2 * image + group, :, i, j], field, (j, i), stride)
                    box = [max(x, 0), max(y, 0), min(x + w - 1, 40), min(y + h - 1, 24)]
                    large = box[2] - box[0] + 1 >= 10 and box[3] - box[1] + 1 >= 10
                    if score >= 0.2 and large:
                        found.append([*box, score])
        found = sorted(found, key=lambda row: -row[4])[:12]
        expected += [[image, *row] for row in thinned(found, 0.5, 1)]
    text = f"""type: "BoxGroupOutput" top: "rois" top: "scored" {NORM} box_group_output_param {{
        fg_thr: 0.2 box_group_param {{ stride: 8 field_w: [20, 40] field_h: [30, 24] }}
        max_nms_num: 12 min_size: 10 }}"""
    _, scored = LayerHarness(text, [probabilities, offsets], dtype=float).forward()
    np.testing.assert_allclose(scored.reshape(-1, 6), expected, rtol=1e-6)


FIELDS = "field_w: 20 field_h: 30 downsample_rate: 8"


def test_where_nothing_is_found_there_is_one_region() -> None:
    text = f'type: "BoxOutput" top: "a" top: "b" box_output_param {{ {FIELDS} fg_thr: 99 }}'
    rois, scored = LayerHarness(text, [np.zeros((2, 6, 3, 4))]).forward()
    assert rois.reshape(-1).tolist() == [0, 1, 1, 10, 10]
    assert scored.reshape(-1).tolist() == [0] * 6


@pytest.mark.parametrize(
    ("fields", "shape", "message"),
    [
        ("", (2, 6, 3, 4), "expected 1 field_w above 0, one for each bottom, got none"),
        (FIELDS.replace("30", "0"), (2, 6, 3, 4), "expected 1 field_h above 0"),
        (FIELDS, (2, 5, 3, 4), "two classes or more"),
        (f'{FIELDS} nms_type: "IOMU"', (2, 6, 3, 4), "expected nms_type IOU, got 'IOMU'"),
        (f"{FIELDS} field_whr: 1", (2, 6, 3, 4), "expected field_whr above 1, got 1"),
        (f"{FIELDS} iou_thr: -1", (2, 6, 3, 4), "expected iou_thr of 0 or more"),
    ],
)
def test_outputs_that_cannot_be(fields: str, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(LayerError, match=message):
        LayerHarness(f'type: "BoxOutput" box_output_param {{ {fields} }}', [np.zeros(shape)])


@pytest.mark.parametrize(
    ("groups", "shapes", "message"),
    [
        ("", [(2, 3, 4, 5), (2, 4, 4, 5)], "expected two bottoms for each of 0 box_group_param"),
        ("stride: 8 field_w: 3", [(2, 3, 4, 5), (2, 4, 4, 5)], "as many field_w as field_h"),
        ("field_w: 3 field_h: 3", [(2, 3, 4, 5), (2, 4, 4, 5)], "a stride above 0"),
        ("stride: 8 field_w: 3 field_h: 3", [(2, 3, 4, 5), (2, 4, 4, 6)], "and 2x4x4x6"),
        ("stride: 8 field_w: [3, 3] field_h: [3, 3]", [(3, 3, 4, 5), (3, 4, 4, 5)], "N 2"),
    ],
)
def test_groups_that_cannot_be(groups: str, shapes: list[tuple[int, ...]], message: str) -> None:
    group = groups and f"box_group_param {{ {groups} }}"
    text = f'type: "BoxGroupOutput" box_group_output_param {{ {group} }}'
    with pytest.raises(LayerError, match=message):
        LayerHarness(text, [np.zeros(shape) for shape in shapes])
