"""DecodeBBox and ScaleRoute."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.proto.caffe_pb2 import TEST, TRAIN
from protonet.testing import LayerHarness

REGIONS = np.array([[0, 10, 20, 29, 59], [1, 0, 0, 9, 9], [0, 5, 5, 104, 54.0]])
NORM = "bbox_reg_param { bbox_mean: [0.1, 0, 0, 0] bbox_std: [0.1, 0.1, 0.2, 0.5] }"


def decoded(offsets: np.ndarray) -> np.ndarray:
    """By a loop: centres and extents with the last pixel."""
    rows = []
    for (image, x0, y0, x1, y1), row in zip(REGIONS, offsets, strict=True):
        dx, dy, dw, dh = row[4:] * [0.1, 0.1, 0.2, 0.5] + [0.1, 0, 0, 0]
        width, height = x1 - x0 + 1, y1 - y0 + 1
        w, h = width * np.exp(dw), height * np.exp(dh)
        x = dx * width + (x0 + x1) / 2 - (w - 1) / 2
        y = dy * height + (y0 + y1) / 2 - (h - 1) / 2
        rows.append([image, x, y, x + w - 1, y + h - 1])
    return np.array(rows)


def test_offsets_move_regions() -> None:
    offsets = np.random.default_rng(1).standard_normal((3, 8))
    harness = LayerHarness(
        f'type: "DecodeBBox" {NORM}', [offsets, REGIONS], phase=TEST, dtype=float
    )
    np.testing.assert_allclose(harness.forward()[0], decoded(offsets), rtol=1e-6)
    kept = LayerHarness(
        f'type: "DecodeBBox" {NORM}', [offsets.reshape(3, 8, 1, 1), REGIONS.reshape(3, 5, 1, 1)]
    )
    assert kept.forward()[0].shape == (3, 5, 1, 1)


def test_a_training_leaves_out_what_is_none_or_is_a_truth() -> None:
    offsets = np.zeros((3, 8))
    offsets[1, 6] = -40  # an extent of nearly 0: it ends before it begins
    truths = np.array([[0, 0.9], [0, 0.1], [0, 0.96]])
    text = f'type: "DecodeBBox" {NORM}'
    found = LayerHarness(text, [offsets, REGIONS, truths], phase=TRAIN, dtype=float).forward()[0]
    np.testing.assert_allclose(found, decoded(offsets)[:1], rtol=1e-6)
    text += " decode_bbox_param { gt_iou_thr: 0.97 }"
    found = LayerHarness(text, [offsets, REGIONS, truths], phase=TRAIN, dtype=float).forward()[0]
    np.testing.assert_allclose(found, decoded(offsets)[[0, 2]], rtol=1e-6)
    assert len(LayerHarness(text, [offsets, REGIONS], phase=TEST).forward()[0]) == 3


@pytest.mark.parametrize(
    ("text", "shapes", "phase", "message"),
    [
        ("", [(3, 4), (3, 5)], TRAIN, "expected R x 8 in 'a', one row for each region, got 3x4"),
        ("", [(3, 8), (2, 5)], TRAIN, "expected R x 8 in 'a'"),
        ("", [(3, 8), (3, 5), (3, 2)], TEST, "truths are for phase TRAIN alone"),
        ("bbox_reg_param { bbox_mean: 0 bbox_std: [1, 1, 1, 1] }", [(3, 8), (3, 5)], TEST,
         "expected four bbox_mean, got 1"),
        ("bbox_reg_param { bbox_mean: [0, 0, 0, 0] bbox_std: [1, 0, 1, 1] }", [(3, 8), (3, 5)],
         TEST, "expected each bbox_std above 0"),
    ],
)  # fmt: skip
def test_stages_that_cannot_be(
    text: str, shapes: list[tuple[int, ...]], phase: int, message: str
) -> None:
    names = " ".join(f'bottom: "{name}"' for name in "abc"[: len(shapes)])
    with pytest.raises(LayerError, match=message):
        LayerHarness(
            f'type: "DecodeBBox" {names} {text}', [np.zeros(s) for s in shapes], phase=phase
        )


@pytest.mark.parametrize(
    ("fields", "chosen"),
    [
        ("low_scale: 20 high_scale: 50", [0]),  # scales: sqrt(20 * 40), 10, sqrt(100 * 50)
        ("high_scale: 10", [1]),  # none is below; 10 is nearest
        ("low_scale: 10", [0, 1, 2]),
        ("low_scale: 900", [2]),
        ("", [0, 1, 2]),
    ],
)
def test_regions_of_a_scale(fields: str, chosen: list[int]) -> None:
    text = f'type: "ScaleRoute" top: "a" top: "b" scale_route_param {{ {fields} }}'
    beside = np.arange(6.0).reshape(3, 2)
    regions, rows = LayerHarness(text, [REGIONS, beside]).forward()
    np.testing.assert_array_equal(regions, REGIONS[chosen])
    np.testing.assert_array_equal(rows, beside[chosen])


@pytest.mark.parametrize(
    ("text", "shapes", "message"),
    [
        ("scale_route_param { low_scale: 3 high_scale: 2 }", [(3, 5)], "0 < low_scale <= high"),
        ("scale_route_param { low_scale: 0 }", [(3, 5)], "expected 0 < low_scale"),
        ('top: "x" top: "y"', [(3, 5)], "expected a top for each of 1 bottoms, got 2"),
        ("", [(3, 4)], "expected R x 5, got 'a' 3x4"),
        ('top: "x" top: "y"', [(3, 5), (2, 4)], "expected a row for each region, got 'b' 2x4"),
    ],
)
def test_routes_that_cannot_be(text: str, shapes: list[tuple[int, ...]], message: str) -> None:
    names = " ".join(f'bottom: "{name}"' for name in "ab"[: len(shapes)])
    with pytest.raises(LayerError, match=message):
        LayerHarness(f'type: "ScaleRoute" {names} {text}', [np.zeros(s) for s in shapes])
