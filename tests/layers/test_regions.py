"""ROIPooling and PSROIPooling."""

from __future__ import annotations

import math

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness, check_gradients

ROIS = np.array(
    [
        [0, 0, 0, 31, 23],
        [1, 5, 3, 17, 20],
        [1, 9, 9, 9, 9],
        [0, 24, 2, 60, 90],  # beyond the map
        [0, 20, 15, 4, 3],  # ends before it starts
        [1, -40, -40, -20, -20],  # outside
        [1, 2.6, 3.4, 13.5, 22.5],
    ]
)


def nearest(value: float) -> int:
    return math.floor(value + 0.5) if value >= 0 else math.ceil(value - 0.5)


def pooled(x: np.ndarray, rois: np.ndarray, high: int, wide: int, scale: float) -> np.ndarray:
    """Fast R-CNN's formula, number by number."""
    y = np.zeros((len(rois), x.shape[1], high, wide))
    for r, roi in enumerate(rois):
        left, top, right, bottom = (nearest(value * scale) for value in roi[1:])
        h, w = max(bottom - top + 1, 1), max(right - left + 1, 1)
        for c in range(x.shape[1]):
            for p in range(high):
                for q in range(wide):
                    rows = range(top + p * h // high, top - (-(p + 1) * h // high))
                    columns = range(left + q * w // wide, left - (-(q + 1) * w // wide))
                    values = [
                        x[int(roi[0]), c, i, j]
                        for i in rows
                        for j in columns
                        if 0 <= i < x.shape[2] and 0 <= j < x.shape[3]
                    ]
                    y[r, c, p, q] = max(values, default=0)
    return y


def meant(x: np.ndarray, rois: np.ndarray, outputs: int, group: int, scale: float) -> np.ndarray:
    """R-FCN's formula, number by number."""
    y = np.zeros((len(rois), outputs, group, group))
    for r, roi in enumerate(rois):
        left, top = nearest(roi[1]) * scale, nearest(roi[2]) * scale
        w = max((nearest(roi[3]) + 1) * scale - left, 0.1)
        h = max((nearest(roi[4]) + 1) * scale - top, 0.1)
        for d in range(outputs):
            for p in range(group):
                for q in range(group):
                    values = [
                        x[int(roi[0]), (d * group + p) * group + q, i, j]
                        for i in range(
                            math.floor(top + p * h / group), math.ceil(top + (p + 1) * h / group)
                        )
                        for j in range(
                            math.floor(left + q * w / group), math.ceil(left + (q + 1) * w / group)
                        )
                        if 0 <= i < x.shape[2] and 0 <= j < x.shape[3]
                    ]
                    y[r, d, p, q] = sum(values) / len(values) if values else 0
    return y


def roi_pooling(x: np.ndarray, rois: np.ndarray, fields: str = "") -> LayerHarness:
    text = (
        'type: "ROIPooling" roi_pooling_param '
        f"{{ pooled_h: 4 pooled_w: 2 spatial_scale: 0.25 {fields} }}"
    )
    return LayerHarness(text, [x, rois])


def test_a_margin_widens_regions() -> None:
    x = np.random.default_rng(7).standard_normal((2, 3, 6, 8))
    wider = ROIS.copy()
    margin = (ROIS[:, 3:] - ROIS[:, 1:3] + 1) * 0.25
    wider[:, 1:3] -= margin
    wider[:, 3:] += margin
    (y,) = roi_pooling(x, ROIS, "pad_ratio: 0.25").forward()
    (expected,) = roi_pooling(x, wider).forward()
    np.testing.assert_array_equal(y, expected)
    assert not np.array_equal(y, roi_pooling(x, ROIS).forward()[0])
    with pytest.raises(LayerError, match="expected a pad_ratio of 0 or more, got -1"):
        roi_pooling(x, ROIS, "pad_ratio: -1")


def psroi_pooling(x: np.ndarray, rois: np.ndarray) -> LayerHarness:
    text = (
        'type: "PSROIPooling" psroi_pooling_param '
        "{ output_dim: 2 group_size: 3 spatial_scale: 0.25 }"
    )
    return LayerHarness(text, [x, rois])


def test_the_greatest_of_each_part_is_fast_rcnns() -> None:
    x = np.random.default_rng(7).standard_normal((2, 3, 6, 8))
    (y,) = roi_pooling(x, ROIS).forward()
    np.testing.assert_allclose(y, pooled(x, ROIS, 4, 2, 0.25), rtol=1e-6)
    np.testing.assert_array_equal(y[5], 0)


def test_the_mean_of_each_part_is_rfcns() -> None:
    x = np.random.default_rng(7).standard_normal((2, 18, 6, 8))
    (y,) = psroi_pooling(x, ROIS).forward()
    np.testing.assert_allclose(y, meant(x, ROIS, 2, 3, 0.25), rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(y[5], 0)


def test_regions_may_have_axes_of_one_behind() -> None:
    x = np.random.default_rng(7).standard_normal((2, 3, 6, 8))
    (flat,), (deep,) = (roi_pooling(x, rois).forward() for rois in (ROIS, ROIS[:, :, None, None]))
    np.testing.assert_array_equal(flat, deep)


def test_no_regions_give_no_values() -> None:
    x, none = np.ones((2, 18, 6, 8)), np.zeros((0, 5))
    for harness, shape in (
        (roi_pooling(x, none), (0, 18, 4, 2)),
        (psroi_pooling(x, none), (0, 2, 3, 3)),
    ):
        (y,) = harness.forward()
        assert y.shape == shape
        dx = harness.backward([y])[0]
        np.testing.assert_array_equal(dx, np.zeros(x.shape))


def test_of_equal_values_the_first_gets_the_gradient() -> None:
    harness = roi_pooling(np.ones((1, 1, 6, 8)), np.array([[0, 0, 0, 31, 23.0]]))
    (y,) = harness.forward()
    dx = harness.backward([np.full(y.shape, 2)])[0]
    assert dx is not None
    assert [tuple(at) for at in np.argwhere(dx[0, 0])] == [
        (0, 0), (0, 4), (1, 0), (1, 4), (3, 0), (3, 4), (5, 0), (5, 4),
    ]  # fmt: skip
    assert set(dx[dx != 0]) == {2}


@pytest.mark.parametrize(
    ("text", "channels"),
    [
        ('type: "ROIPooling" roi_pooling_param { pooled_h: 4 pooled_w: 2 spatial_scale: 0.25 }', 3),
        (
            'type: "PSROIPooling" psroi_pooling_param '
            "{ output_dim: 2 group_size: 3 spatial_scale: 0.25 }",
            18,
        ),
    ],
)
def test_gradients_agree_with_differences(text: str, channels: int) -> None:
    x = np.random.default_rng(7).permutation(2 * channels * 48).reshape(2, channels, 6, 8)
    check_gradients(text, [x / 50.0, ROIS])
    harness = LayerHarness(text, [x, ROIS])
    harness.forward()
    harness.dbottoms = [None, None]
    assert harness.backward(harness.tops) == [None, None]


@pytest.mark.parametrize(
    ("roi", "message"),
    [
        ([2, 0, 0, 3, 3], r"expected an image of 0 to 1 in region 1 of 'x1', got 2"),
        ([-1, 0, 0, 3, 3], r"expected an image of 0 to 1 in region 1 of 'x1', got -1"),
        ([math.nan, 0, 0, 3, 3], r"expected an image of 0 to 1 in region 1 of 'x1', got nan"),
        ([0, 0, math.nan, 3, 3], r"expected numbers in region 1 of 'x1', got nan"),
    ],
)
def test_regions_that_cannot_be_are_refused(roi: list[float], message: str) -> None:
    rois = np.array([[0, 0, 0, 1, 1], roi])
    for harness in (
        roi_pooling(np.ones((2, 3, 6, 8)), rois),
        psroi_pooling(np.ones((2, 18, 6, 8)), rois),
    ):
        with pytest.raises(LayerError, match=message):
            harness.forward()


def test_regions_without_end_are_as_large_as_the_map() -> None:
    rois = np.array([[0, -np.inf, -np.inf, np.inf, np.inf]])
    assert np.isfinite(roi_pooling(np.ones((2, 3, 6, 8)), rois).forward()[0]).all()


@pytest.mark.parametrize(
    ("text", "shapes", "message", "path"),
    [
        (
            'type: "ROIPooling" roi_pooling_param { pooled_h: 2 }',
            [(1, 3, 5, 7), (2, 5)],
            "pooled_w is missing",
            ("roi_pooling_param",),
        ),
        (
            'type: "ROIPooling" roi_pooling_param { pooled_h: 2 pooled_w: 2 spatial_scale: 0 }',
            [(1, 3, 5, 7), (2, 5)],
            "expected a spatial_scale above 0, got 0",
            ("roi_pooling_param", "spatial_scale"),
        ),
        (
            'type: "ROIPooling" roi_pooling_param { pooled_h: 2 pooled_w: 2 }',
            [(1, 3, 5, 7), (2, 4)],
            "expected regions, R x 5 of image, x1, y1, x2, y2, in 'x1', got 2x4",
            ("bottom", 1),
        ),
        (
            'type: "ROIPooling" roi_pooling_param { pooled_h: 2 pooled_w: 2 }',
            [(1, 3, 5), (2, 5)],
            "expected a feature map, N x C x H x W, in 'x0', got 1x3x5",
            ("bottom", 0),
        ),
        (
            'type: "PSROIPooling" psroi_pooling_param { output_dim: 2 spatial_scale: 1 }',
            [(1, 8, 5, 7), (2, 5)],
            "expected group_size of 1 or more, got 0",
            ("psroi_pooling_param",),
        ),
        (
            'type: "PSROIPooling" psroi_pooling_param { output_dim: 2 group_size: 2 }',
            [(1, 8, 5, 7), (2, 5)],
            "expected a spatial_scale above 0, got 0",
            ("psroi_pooling_param", "spatial_scale"),
        ),
        (
            'type: "PSROIPooling" psroi_pooling_param '
            "{ output_dim: 2 group_size: 3 spatial_scale: 1 }",
            [(1, 8, 5, 7), (2, 5)],
            "expected 18 channels in 'x0', output_dim 2 times group_size 3 squared, got 1x8x5x7",
            ("bottom", 0),
        ),
    ],
)
def test_wrong_use_is_refused(
    text: str, shapes: list[tuple[int, ...]], message: str, path: tuple[object, ...]
) -> None:
    with pytest.raises(LayerError, match=message) as caught:
        LayerHarness(text, [np.zeros(shape) for shape in shapes])
    assert caught.value.path == path
