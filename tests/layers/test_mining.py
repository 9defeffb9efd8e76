"""SoftmaxWithLossOHEM, SmoothL1LossOHEM and BoxAnnotatorOHEM."""

from __future__ import annotations

import math

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness, check_gradients


def smooth(d: float) -> float:
    return d * d / 2 if abs(d) < 1 else abs(d) - 0.5


def boxes() -> list[np.ndarray]:
    generator = np.random.default_rng(7)
    a, b = generator.normal(0, 1.5, (2, 3, 5, 2, 4))
    return [a, b, generator.integers(0, 2, a.shape).astype(float)]


@pytest.mark.parametrize(
    ("fields", "divisor"),
    [
        ("", 24),
        ("normalization: FULL", 24),
        ("normalization: BATCH_SIZE", 3),
        ("normalize: false", 3),
        ("normalization: NONE", 1),
        ("normalization: PRE_FIXED pre_fixed_normalizer: 128", 128),
        ("normalization: PRE_FIXED pre_fixed_normalizer: 0", 1),
    ],
)
@pytest.mark.parametrize("weighed", [True, False])
def test_the_loss_of_boxes_is_that_of_each(fields: str, divisor: int, weighed: bool) -> None:
    a, b, u = boxes()
    text = f'type: "SmoothL1LossOHEM" top: "l" top: "each" loss_param {{ {fields} }}'
    loss, each = LayerHarness(text, [a, b, u][: 2 + weighed]).forward()
    expected = np.zeros((3, 1, 2, 4))
    for n, c, i, j in np.ndindex(3, 5, 2, 4):
        weight = u[n, c, i, j] if weighed else 1
        expected[n, 0, i, j] += smooth(weight * (a[n, c, i, j] - b[n, c, i, j]))
    np.testing.assert_allclose(each, expected, rtol=1e-5)
    assert loss == pytest.approx(expected.sum() / divisor, rel=1e-5)


def test_the_gradient_of_boxes_agrees_with_differences() -> None:
    a, b, _ = boxes()
    u = np.random.default_rng(3).uniform(0.5, 2, a.shape)
    near = np.abs(np.abs(u * (a - b)) - 1) < 0.05
    u[near] = 0
    check_gradients('type: "SmoothL1LossOHEM" loss_param { normalization: BATCH_SIZE }', [a, b, u])
    check_gradients(
        'type: "SmoothL1LossOHEM" top: "l" top: "e"', [a[:, :, 0, 0], b[:, :, 0, 0] + 9]
    )


def test_boxes_without_axes_behind_have_losses_with() -> None:
    a = np.array([[1.0, 3], [0, 0]])
    text = 'type: "SmoothL1LossOHEM" top: "l" top: "each"'
    loss, each = LayerHarness(text, [a, np.zeros((2, 2, 1, 1))]).forward()
    assert each.shape == (2, 1, 1, 1)
    assert each.reshape(-1).tolist() == [0.5 + 2.5, 0]
    assert float(loss) == 1.5


def test_the_loss_of_classes_is_that_of_each() -> None:
    x = np.random.default_rng(7).standard_normal((4, 3, 1, 1))
    labels = np.array([2, -1, 0, 1.0]).reshape(4, 1, 1, 1)
    text = (
        'type: "SoftmaxWithLossOHEM" top: "l" top: "p" top: "each" '
        "loss_param { ignore_label: -1 normalization: PRE_FIXED pre_fixed_normalizer: 5 }"
    )
    harness = LayerHarness(text, [x, labels])
    loss, p, each = harness.forward()
    total = 0.0
    for n, label in enumerate(labels.reshape(-1).astype(int)):
        powers = [math.exp(value) for value in x[n, :, 0, 0]]
        expected = 0.0 if label < 0 else -math.log(powers[label] / sum(powers))
        assert each[n, 0, 0, 0] == pytest.approx(expected, rel=1e-5)
        assert p[n, 0, 0, 0] == pytest.approx(powers[0] / sum(powers), rel=1e-5)
        total += expected
    assert each.shape == labels.shape
    assert loss == pytest.approx(total / 5, rel=1e-5)
    check_gradients(text, [x, labels])


def mined(fields: str, *bottoms: object) -> list[np.ndarray]:
    text = f'type: "BoxAnnotatorOHEM" box_annotator_ohem_param {{ {fields} }}'
    return LayerHarness(text, [np.array(bottom, float) for bottom in bottoms]).forward()


IMAGES = [0, 0, 1, 0, 1, 0]
LOSSES = [[3], [5], [1], [5], [0], [4]]
LABELS = [[7], [2], [0], [9], [1], [4]]


def test_the_hardest_of_each_image_stay() -> None:
    regions = np.zeros((6, 5))
    regions[:, 0] = IMAGES
    weights = np.arange(1, 13).reshape(6, 2)
    labels, kept = mined("roi_per_img: 2", regions, LOSSES, LABELS, weights)
    assert labels.reshape(-1).tolist() == [-1, 2, 0, 9, 1, -1]
    assert kept.tolist() == [[0, 0], [3, 4], [5, 6], [7, 8], [9, 10], [0, 0]]
    labels, _ = mined("roi_per_img: 1 ignore_label: 255", regions, LOSSES, LABELS, weights)
    assert labels.reshape(-1).tolist() == [255, 2, 0, 255, 255, 255]
    labels, kept = mined("roi_per_img: 9", regions, LOSSES, LABELS, weights)
    assert labels.tolist() == LABELS
    np.testing.assert_array_equal(kept, weights)


def test_each_cell_of_a_map_is_a_region() -> None:
    generator = np.random.default_rng(7)
    regions = np.zeros((2, 5, 2, 3))
    regions[1, 0] = 1
    regions[0, 0, 0] = 1  # three cells of the first are of the second image
    losses, labels = (
        generator.permutation(12).reshape(2, 1, 2, 3),
        np.arange(12).reshape(2, 1, 2, 3),
    )
    weights = generator.standard_normal((2, 4, 2, 3))
    found, kept = mined("roi_per_img: 2", regions, losses, labels, weights)
    left = {0: 2, 1: 2}
    expected = np.full((2, 1, 2, 3), -1)
    for loss in range(11, -1, -1):
        ((n, _, i, j),) = np.argwhere(losses == loss)
        image = regions[n, 0, i, j]
        if left[image]:
            left[image] -= 1
            expected[n, 0, i, j] = labels[n, 0, i, j]
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_allclose(kept, weights * (expected >= 0), rtol=1e-6)


def test_no_regions_are_none() -> None:
    empty = [np.zeros((0, count)) for count in (5, 1, 1, 8)]
    assert [top.shape for top in mined("roi_per_img: 2", *empty)] == [(0, 1), (0, 8)]


@pytest.mark.parametrize(
    ("text", "shapes", "message", "path"),
    [
        (
            'type: "SmoothL1LossOHEM"',
            [(2, 3), (2, 4)],
            "expected 'x1' in the shape of 'x0', 2x3, got 2x4",
            ("bottom", 1),
        ),
        (
            'type: "SmoothL1LossOHEM"',
            [(2, 3), (2, 3), (1, 3)],
            "expected 'x2' in the shape of 'x0', 2x3, got 1x3",
            ("bottom", 2),
        ),
        (
            'type: "SmoothL1LossOHEM"',
            [(2,), (2,)],
            "expected 2 to 4 axes, N x C x H x W, got 'x0' 2",
            ("bottom", 0),
        ),
        (
            'type: "SmoothL1LossOHEM" top: "l" top: "e" loss_weight: 1 loss_weight: 1',
            [(2, 3), (2, 3)],
            "the losses of items in the second top cannot be part of the objective",
            ("loss_weight", 1),
        ),
        (
            'type: "SoftmaxWithLossOHEM" top: "l" top: "p" top: "e" loss_weight: [1, 0, 1]',
            [(2, 3), (2,)],
            "cannot be part of the objective",
            ("loss_weight", 1),
        ),
        (
            'type: "SoftmaxWithLossOHEM"',
            [(2, 3), (3,)],
            "expected one label in 'x1'",
            ("bottom", 1),
        ),
        (
            'type: "BoxAnnotatorOHEM"',
            [(2, 5), (2, 1), (2, 1), (2, 4)],
            "roi_per_img is missing",
            ("box_annotator_ohem_param",),
        ),
        (
            'type: "BoxAnnotatorOHEM" loss_weight: 1 box_annotator_ohem_param { roi_per_img: 1 }',
            [(2, 5), (2, 1), (2, 1), (2, 4)],
            "labels have no gradient",
            ("loss_weight",),
        ),
        (
            'type: "BoxAnnotatorOHEM" box_annotator_ohem_param { roi_per_img: 1 }',
            [(2, 4), (2, 1), (2, 1), (2, 4)],
            "expected regions, R x 5",
            ("bottom", 0),
        ),
        (
            'type: "BoxAnnotatorOHEM" box_annotator_ohem_param { roi_per_img: 1 }',
            [(2, 5), (3, 1), (2, 1), (2, 4)],
            "expected one loss for each of 2 regions in 'x1', got 3x1",
            ("bottom", 1),
        ),
        (
            'type: "BoxAnnotatorOHEM" box_annotator_ohem_param { roi_per_img: 1 }',
            [(2, 5), (2, 1), (2, 2), (2, 4)],
            "expected one label for each of 2 regions in 'x2', got 2x2",
            ("bottom", 2),
        ),
        (
            'type: "BoxAnnotatorOHEM" box_annotator_ohem_param { roi_per_img: 1 }',
            [(2, 5), (2, 1), (2, 1), (3, 4)],
            "expected weights of each of 2 regions in 'x3', got 3x4",
            ("bottom", 3),
        ),
    ],
)
def test_wrong_use_is_refused(
    text: str, shapes: list[tuple[int, ...]], message: str, path: tuple[object, ...]
) -> None:
    with pytest.raises(LayerError, match=message) as caught:
        LayerHarness(text, [np.zeros(shape) for shape in shapes])
    assert caught.value.path == path
