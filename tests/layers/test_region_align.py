"""ROIAlign: values point by point, its gradient, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.layers.region_align import weights
from protonet.testing import LayerHarness, check_gradients

ROIS = np.array(
    [
        [0, 0, 0, 31, 23],
        [1, 5, 3, 17, 20],
        [0, 20, 9, 60, 80],
        [1, 9, 9, 9, 9],
        [0, -9, -7, 6, 8],
        [0, 90, 90, 99, 99],
    ],
    float,
)
FIELDS = "pooled_h: 3 pooled_w: 2 spatial_scale: 0.25"


def bilinear(plane: np.ndarray, row: float, column: float) -> float:
    height, width = plane.shape
    if not (-1 <= row <= height and -1 <= column <= width):
        return 0.0
    row, column = min(max(row, 0), height - 1), min(max(column, 0), width - 1)
    top, left = math.floor(row), math.floor(column)
    low, right = min(top + 1, height - 1), min(left + 1, width - 1)
    v, u = row - top, column - left
    first = (1 - u) * plane[top, left] + u * plane[top, right]
    return float((1 - v) * first + v * ((1 - u) * plane[low, left] + u * plane[low, right]))


def aligned(x: np.ndarray, points: int) -> np.ndarray:
    """Region by region and point by point."""
    y = np.zeros((len(ROIS), x.shape[1], 3, 2))
    for r, (image, *corners) in enumerate(ROIS):
        left, top, right, bottom = (each * 0.25 for each in corners)
        part = (max(bottom - top, 1) / 3, max(right - left, 1) / 2)
        n, m = (points or math.ceil(each) for each in part)
        for c, p, q in np.ndindex(y.shape[1:]):
            y[r, c, p, q] = np.mean(
                [
                    bilinear(
                        x[int(image), c],
                        top + (p + (i + 0.5) / n) * part[0],
                        left + (q + (j + 0.5) / m) * part[1],
                    )
                    for i in range(n)
                    for j in range(m)
                ]
            )
    return y


@pytest.mark.parametrize("points", [0, 2])
def test_the_mean_of_points_is_mask_rcnns(points: int) -> None:
    x = np.random.default_rng(7).standard_normal((2, 3, 6, 8))
    text = f'type: "ROIAlign" roi_align_param {{ {FIELDS} sampling_ratio: {points} }}'
    (y,) = LayerHarness(text, [x, ROIS]).forward()
    np.testing.assert_allclose(y, aligned(x, points), rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(y[5], 0)


def test_both_messages_say_the_same() -> None:
    x = np.random.default_rng(7).standard_normal((2, 3, 6, 8))
    one, other = (
        LayerHarness(f'type: "ROIAlign" {field} {{ {FIELDS} }}', [x, ROIS]).forward()[0]
        for field in ("roi_align_param", "roi_pooling_param")
    )
    np.testing.assert_array_equal(one, other)


def test_a_constant_map_gives_its_value_and_every_part_adds_up_to_one() -> None:
    (y,) = LayerHarness(
        f'type: "ROIAlign" roi_align_param {{ {FIELDS} }}', [np.full((2, 1, 6, 8), 3.0), ROIS[:2]]
    ).forward()
    np.testing.assert_allclose(y, 3.0, rtol=1e-6)
    np.testing.assert_allclose(weights(1.3, 4.1, 3, 4, 9).sum(axis=1), 1)
    np.testing.assert_array_equal(weights(0, 1, 1, 1, 1), [[1]])


def test_no_regions_give_no_values() -> None:
    x = np.ones((2, 3, 6, 8))
    text = f'type: "ROIAlign" roi_align_param {{ {FIELDS} }}'
    harness = LayerHarness(text, [x, np.zeros((0, 5))])
    (y,) = harness.forward()
    assert y.shape == (0, 3, 3, 2)
    np.testing.assert_array_equal(harness.backward([y])[0], np.zeros(x.shape))


def test_gradients_agree_with_differences() -> None:
    x = np.random.default_rng(7).standard_normal((2, 3, 6, 8))
    text = f'type: "ROIAlign" roi_align_param {{ {FIELDS} sampling_ratio: 2 }}'
    check_gradients(text, [x, ROIS])
    harness = LayerHarness(text, [x, ROIS])
    harness.forward()
    harness.dbottoms = [None, None]
    assert harness.backward(harness.tops) == [None, None]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("roi_align_param { pooled_w: 2 }", "pooled_h is missing: expected 1 or more"),
        ("roi_pooling_param { pooled_h: 2 }", "pooled_w is missing: expected 1 or more"),
        (
            f"roi_align_param {{ {FIELDS} sampling_ratio: -1 }}",
            "expected a sampling_ratio of 0 or more, got -1",
        ),
        (
            "roi_align_param { pooled_h: 1 pooled_w: 1 spatial_scale: -1 }",
            "expected a spatial_scale above 0, got -1",
        ),
        (f"roi_pooling_param {{ {FIELDS} pad_ratio: 0.1 }}", "the ROIAlign of cascade-rcnn"),
        (
            f"roi_align_param {{ {FIELDS} }} roi_pooling_param {{ {FIELDS} }}",
            "roi_align_param and roi_pooling_param are both given",
        ),
    ],
)
def test_settings_that_cannot_be(text: str, message: str) -> None:
    with pytest.raises(LayerError, match=message):
        LayerHarness(f'type: "ROIAlign" {text}', [np.ones((2, 3, 6, 8)), ROIS])


def test_regions_that_cannot_be() -> None:
    def run(roi: list[float]) -> None:
        text = f'type: "ROIAlign" roi_align_param {{ {FIELDS} }}'
        LayerHarness(text, [np.ones((2, 3, 6, 8)), np.array([roi])]).forward()

    with pytest.raises(LayerError, match="expected an image of 0 to 1 in region 0"):
        run([2, 0, 0, 3, 3])
    with pytest.raises(LayerError, match="expected numbers in region 0"):
        run([0, 0, math.nan, 3, 3])
    with pytest.raises(LayerError, match=r"region 0 of 'x1' is 25000 cells long"):
        run([0, 0, 0, 9, 100000])
