"""What YOLO finds, held to the forks' formulas written as loops."""

from __future__ import annotations

import math

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness

BIASES = [1.125, 1.25, 2.5, 0.875, 0.75, 3.125]
V2 = "yolo_detection_output_param"
V3 = "yolov3_detection_output_param"
SETTINGS = "num_classes: 4 num_box: 3 nms_threshold: 0.4"
V2_FIELDS = f"{SETTINGS} confidence_threshold: 0.25 biases: {BIASES}"
V3_FIELDS = (
    "num_classes: 4 num_box: 2 nms_threshold: 0.4 confidence_threshold: 0.3 "
    "biases: [8, 9, 20, 6, 11, 30] mask: [2, 0, 1, 0] anchors_scale: [8, 4]"
)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def overlap(a: list[float], b: list[float]) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width < 0 or height < 0:
        return 0.0
    both = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return width * height / (both - width * height)


def box(v: np.ndarray, i: int, j: int, w: int, h: int, bw: float, bh: float) -> list[float]:
    """The corners of one box; ``bw`` and ``bh`` are its anchor in fractions of the image."""
    x, y = (i + sigmoid(v[0])) / w, (j + sigmoid(v[1])) / h
    wide, high = math.exp(v[2]) * bw, math.exp(v[3]) * bh
    return [x - wide / 2, y - high / 2, x + wide / 2, y + high / 2]


def thinned(rows: list[list[float]], images: int) -> np.ndarray:
    """Of each image those that overlap no better one by 0.4 or more."""
    found: list[list[float]] = []
    for image in range(images):
        kept: list[list[float]] = []
        for row in sorted((r for r in rows if r[0] == image), key=lambda r: -r[2]):
            if all(overlap(row[3:], other[3:]) < 0.4 for other in kept):
                kept.append(row)
        found += kept
    return np.array(found)


def second(maps: list[np.ndarray]) -> np.ndarray:
    rows = []
    for x in maps:
        n, _, h, w = x.shape
        for b, j, i, k in np.ndindex(n, h, w, 3):
            v = x[b, k * 9 : k * 9 + 9, j, i]
            p = [math.exp(c) / sum(math.exp(d) for d in v[5:]) for c in v[5:]]
            score = sigmoid(v[4]) * max(p)
            if score >= 0.25:
                place = box(v, i, j, w, h, BIASES[2 * k] / w, BIASES[2 * k + 1] / h)
                rows.append([b, p.index(max(p)) + 1, score, *place])
    return thinned(rows, len(maps[0]))


def third(maps: list[np.ndarray]) -> np.ndarray:
    rows = []
    anchors = [[(11, 30), (8, 9)], [(20, 6), (8, 9)]]
    for x, own, r in zip(maps, anchors, (8, 4), strict=True):
        n, _, h, w = x.shape
        for b, j, i, k, c in np.ndindex(n, h, w, 2, 4):
            v = x[b, k * 9 : k * 9 + 9, j, i]
            score = sigmoid(v[4]) * sigmoid(v[5 + c])
            if score > 0.3:
                place = box(v, i, j, w, h, own[k][0] / (w * r), own[k][1] / (h * r))
                rows.append([b, c + 1, score, *place])
    return thinned(rows, len(maps[0]))


def values(*shapes: tuple[int, ...]) -> list[np.ndarray]:
    generator = np.random.default_rng(3)
    return [generator.standard_normal(shape) for shape in shapes]


@pytest.mark.parametrize("maps", [((2, 27, 5, 7),), ((2, 27, 3, 4), (2, 27, 6, 8))])
def test_what_yolov2_finds(maps: tuple[tuple[int, ...], ...]) -> None:
    bottoms = values(*maps)
    harness = LayerHarness(
        f'type: "YoloDetectionOutput" {V2} {{ {V2_FIELDS} }}', bottoms, dtype=float
    )
    expected = second(bottoms)
    assert len(expected) > 10
    np.testing.assert_allclose(harness.forward()[0][0, 0], expected, rtol=1e-6)


def test_what_yolov3_finds() -> None:
    bottoms = values((2, 18, 3, 4), (2, 18, 6, 8))
    harness = LayerHarness(
        f'type: "Yolov3DetectionOutput" {V3} {{ {V3_FIELDS} }}', bottoms, dtype=float
    )
    expected = third(bottoms)
    assert len(expected) > 10
    np.testing.assert_allclose(harness.forward()[0][0, 0], expected, rtol=1e-6)


def test_nothing_found_is_a_row_for_each_image() -> None:
    harness = LayerHarness(
        f'type: "YoloDetectionOutput" {V2} {{ {V2_FIELDS} }}', [np.full((3, 27, 2, 2), -9.0)]
    )
    assert harness.forward()[0][0, 0, :, :3].tolist() == [[0, -1, -1], [1, -1, -1], [2, -1, -1]]


def test_a_net_that_went_astray_gives_no_warning() -> None:
    harness = LayerHarness(
        f'type: "YoloDetectionOutput" {V2} {{ {V2_FIELDS} }}', [np.full((1, 27, 2, 2), np.inf)]
    )
    assert harness.forward()[0][0, 0].tolist() == [[0, -1, -1, -1, -1, -1, -1]]


@pytest.mark.parametrize(
    ("text", "shapes", "message", "path"),
    [
        (f"{V2} {{ num_classes: 0 }}", [(1, 27, 2, 2)],
         "expected num_classes of 1 or more, got 0", (V2, "num_classes")),
        (f"{V2} {{ {V2_FIELDS} coords: 5 }}", [(1, 27, 2, 2)], "expected coords 4, got 5",
         (V2, "coords")),
        (f"{V2} {{ {SETTINGS} }}", [(1, 27, 2, 2)],
         "expected biases in pairs of width and height for 3 boxes, got 0 numbers", (V2,)),
        (f"{V2} {{ {SETTINGS} biases: [1, 1, 1, 0, 1, 1] }}", [(1, 27, 2, 2)],
         "expected biases above 0, got 0", (V2, "biases")),
        (f"{V2} {{ {V2_FIELDS} }} loss_weight: 1", [(1, 27, 2, 2)],
         "boxes have no gradient and cannot be part of the objective", ("loss_weight",)),
        (f"{V2} {{ num_box: 1 nms_threshold: -1 }}", [(1, 27, 2, 2)],
         "expected nms_threshold of 0 or more, got -1", (V2, "nms_threshold")),
        (f"{V2} {{ {V2_FIELDS} }}", [(1, 26, 2, 2)],
         "expected N x 27 x H x W in 'x0', 5 and 4 classes for each of 3 boxes, got 1x26x2x2",
         ("bottom", 0)),
        (f"{V2} {{ {V2_FIELDS} }}", [(1, 27, 2, 2), (2, 27, 2, 2)],
         "expected 1 images in 'x1', as in 'x0', got 2", ("bottom", 1)),
        (f"{V3} {{ {V3_FIELDS} }}", [(1, 18, 2, 2)],
         "expected mask_group_num 1, the bottoms, got 2", (V3,)),
        (f"{V3} {{ {V3_FIELDS} mask: 1 }}", [(1, 18, 2, 2)] * 2,
         "expected 4 numbers of mask for 2 bottom(s), got 5", (V3,)),
        (f"{V3} {{ {V3_FIELDS} anchors_scale: 1 }}", [(1, 18, 2, 2)] * 2,
         "expected 2 numbers of anchors_scale for 2 bottom(s), got 3", (V3,)),
        (f"{V3} {{ num_classes: 4 num_box: 1 mask: [0, 2] anchors_scale: [1, 1] biases: [1, 1] }}",
         [(1, 9, 2, 2)] * 2,
         "expected biases in pairs of width and height for 3 boxes, got 2 numbers", (V3, "biases")),
        (f"{V3} {{ num_classes: 4 num_box: 1 mask: [0, 0] anchors_scale: [1, 0] biases: [1, 1] }}",
         [(1, 9, 2, 2)] * 2, "expected anchors_scale above 0, got 0", (V3, "anchors_scale")),
    ],
)  # fmt: skip
def test_mistakes(
    text: str,
    shapes: list[tuple[int, ...]],
    message: str,
    path: tuple[str | int, ...],
) -> None:
    kind = "YoloDetectionOutput" if text.startswith(V2) else "Yolov3DetectionOutput"
    with pytest.raises(LayerError) as caught:
        LayerHarness(f'type: "{kind}" {text}', [np.ones(shape) for shape in shapes])
    assert (str(caught.value), caught.value.path) == (message, path)
