"""PriorBox."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness

FEATURES, IMAGE = np.zeros((5, 7, 2, 3)), np.zeros((5, 1, 40, 90))


def priors(fields: str, *bottoms: object) -> tuple[np.ndarray, np.ndarray]:
    """Boxes, H x W x B x 4, and their variances."""
    harness = LayerHarness(f'type: "PriorBox" prior_box_param {{ {fields} }}',
                           bottoms or (FEATURES, IMAGE))  # fmt: skip
    (top,) = harness.forward()
    assert top.shape[:2] == (1, 2)
    found = top.reshape(2, 2, 3, -1, 4)
    return found[0], found[1]


def test_squares_in_the_middle_of_each_cell() -> None:
    """Cells of 30 x 20 pixels; the square of 18 is a fifth of the width, 0.45 of the height."""
    boxes, variances = priors("min_size: 18")
    assert boxes.shape == (2, 3, 1, 4)
    expected = np.empty((2, 3, 4))
    for i in range(2):
        for j in range(3):
            x, y = (15 + 30 * j) / 90, (10 + 20 * i) / 40
            expected[i, j] = [x - 0.1, y - 0.225, x + 0.1, y + 0.225]
    np.testing.assert_allclose(boxes[:, :, 0], expected, rtol=1e-6)
    np.testing.assert_allclose(variances, 0.1)


def extents(fields: str) -> list[list[float]]:
    """Width and height in pixels of the boxes around the first centre."""
    boxes, _ = priors(fields)
    assert np.ptp(boxes[..., :2] + boxes[..., 2:], axis=2).max() < 1e-6
    found = (boxes[0, 0, :, 2:] - boxes[0, 0, :, :2]) * [90, 40]
    return np.round(found, 3).tolist()


def test_order_of_the_boxes() -> None:
    assert extents("min_size: 18 max_size: 32 aspect_ratio: 4") == [
        [18, 18],
        [24, 24],
        [36, 9],
        [9, 36],
    ]
    assert extents("min_size: 18 min_size: 2 max_size: 32 max_size: 8") == [
        [18, 18],
        [24, 24],
        [2, 2],
        [4, 4],
    ]
    assert extents("min_size: 18 min_size: 4 aspect_ratio: 9 flip: false") == [
        [18, 18],
        [54, 6],
        [4, 4],
        [12, 1.333],
    ]


def test_ratios_that_are_there_are_not_added() -> None:
    assert extents("min_size: 6 aspect_ratio: 4 aspect_ratio: 0.25 aspect_ratio: 1") == [
        [6, 6],
        [12, 3],
        [3, 12],
    ]


def test_fractions_of_sizes_are_cut_off() -> None:
    assert extents("min_size: 18.9 max_size: 32.9") == [[18, 18], [24, 24]]


def test_step_and_offset_move_the_centres() -> None:
    boxes, _ = priors("min_size: 18 step_h: 8 step_w: 9 offset: 1")
    centres = (boxes[..., :2] + boxes[..., 2:])[:, :, 0] / 2
    np.testing.assert_allclose(centres[..., 0] * 90, [[9, 18, 27]] * 2, rtol=1e-6)
    np.testing.assert_allclose(centres[..., 1] * 40, [[8] * 3, [16] * 3], rtol=1e-6)
    boxes, _ = priors("min_size: 18 step: 10")
    np.testing.assert_allclose((boxes[1, 2, 0, :2] + boxes[1, 2, 0, 2:]) / 2, [25 / 90, 15 / 40])


def test_the_image_may_be_given_by_its_size() -> None:
    from_bottom, _ = priors("min_size: 18 aspect_ratio: 2")
    given, _ = priors("min_size: 18 aspect_ratio: 2 img_h: 40 img_w: 90", FEATURES)
    np.testing.assert_array_equal(given, from_bottom)
    square, _ = priors("min_size: 18 img_size: 60", FEATURES, IMAGE)
    np.testing.assert_allclose(square[0, 0, 0], [1 / 60, 6 / 60, 19 / 60, 24 / 60], rtol=1e-6)


def test_boxes_may_be_clipped_to_the_image() -> None:
    free, _ = priors("min_size: 50")
    clipped, _ = priors("min_size: 50 clip: true")
    assert free.min() < 0
    assert free.max() > 1
    np.testing.assert_array_equal(clipped, np.clip(free, 0, 1))


def test_four_variances() -> None:
    _, variances = priors("min_size: 18 aspect_ratio: 2 " + "variance: 0.5 variance: 0.25 " * 2)
    np.testing.assert_array_equal(variances, np.tile([0.5, 0.25, 0.5, 0.25], (2, 3, 3, 1)))


P = "prior_box_param"


@pytest.mark.parametrize(
    ("fields", "message", "path"),
    [
        ("", "prior_box_param needs a min_size", (P,)),
        (
            "min_size: 5 min_size: 0.5",
            "expected a min_size of 1 or more, in pixels of the image, got 0.5",
            (P, "min_size", 1),
        ),
        (
            "min_size: 5 min_size: 6 max_size: 7",
            "expected one max_size for each of the 2 min_size, got 1",
            (P, "max_size"),
        ),
        (
            "min_size: 5 max_size: 5",
            "expected a max_size above its min_size, 5, got 5",
            (P, "max_size", 0),
        ),
        (
            "min_size: 5 aspect_ratio: 0",
            "expected aspect_ratio above 0, got 0",
            (P, "aspect_ratio"),
        ),
        (
            "min_size: 5 variance: 1 variance: 2",
            "expected one variance or four, got 2",
            (P, "variance"),
        ),
        ("min_size: 5 variance: -1", "expected variance above 0, got -1", (P, "variance")),
        (
            "min_size: 5 img_size: 9 img_w: 8",
            "img_size and img_w are both given; give one of the two forms",
            (P, "img_w"),
        ),
        ("min_size: 5 img_h: 9", "img_h needs img_w as well", (P, "img_h")),
        ("min_size: 5 img_size: 0", "expected img_size above 0, got 0", (P, "img_size")),
        ("min_size: 5 step_w: 9", "step_w needs step_h as well", (P, "step_w")),
        ("min_size: 5 step_w: 9 step_h: 0", "expected step_h above 0, got 0", (P, "step_h")),
        (
            "min_size: 5 step: 9 step_h: 8 step_w: 8",
            "step and step_h are both given; give one of the two forms",
            (P, "step_h"),
        ),
    ],
)
def test_mistakes(fields: str, message: str, path: tuple[str | int, ...]) -> None:
    with pytest.raises(LayerError) as caught:
        priors(fields)
    assert (str(caught.value), caught.value.path) == (message, path)


def test_bottoms_that_do_not_fit() -> None:
    with pytest.raises(LayerError) as caught:
        priors("min_size: 5", FEATURES)
    assert str(caught.value) == "expected the image as second bottom, or img_size, got neither"
    with pytest.raises(LayerError) as caught:
        priors("min_size: 5", FEATURES, np.zeros((40, 90)))
    assert str(caught.value) == "expected 4 axes, N x C x H x W, got 'x1' 40x90"
    assert caught.value.path == ("bottom", 1)


def test_boxes_are_no_objective() -> None:
    text = 'type: "PriorBox" loss_weight: 1 prior_box_param { min_size: 5 }'
    with pytest.raises(LayerError, match="boxes have no gradient and cannot be part") as caught:
        LayerHarness(text, [FEATURES, IMAGE])
    assert caught.value.path == ("loss_weight",)


def test_denser_boxes_stand_at_the_lower_border_of_each_cell_too() -> None:
    """Cells of 30 x 20 pixels; each box is followed by the same one, lower by half a cell."""
    fields = "min_size: 18 max_size: 32 aspect_ratio: 4"
    plain, _ = priors(fields)
    boxes, variances = priors(f"{fields} denser_prior_boxes: true variance: [0.1, 0.2, 0.3, 0.4]")
    assert boxes.shape == (2, 3, 8, 4)
    np.testing.assert_array_equal(boxes[:, :, ::2], plain)
    lower = plain + np.array([0, 10 / 40, 0, 10 / 40])
    np.testing.assert_allclose(boxes[:, :, 1::2], lower, atol=1e-6)
    np.testing.assert_allclose(variances, np.broadcast_to([0.1, 0.2, 0.3, 0.4], (2, 3, 8, 4)))


def test_boxes_in_the_order_of_tensorflow() -> None:
    """The square of max_size comes last, and rows before columns."""
    fields = "min_size: 18 max_size: 32 aspect_ratio: 4"
    plain, _ = priors(fields)
    turned, _ = priors(fields + " tf: true")
    np.testing.assert_array_equal(turned, plain[:, :, [0, 2, 3, 1]])
    swapped, _ = priors(fields + " yx_order: true")
    np.testing.assert_array_equal(swapped, plain[..., [1, 0, 3, 2]])
    large, _ = priors("min_size: 60 aspect_ratio: 4")
    smaller, _ = priors("min_size: 60 aspect_ratio: 4 tf: true")
    np.testing.assert_allclose(smaller[:, :, 1:], large[:, :, 1:])
    border = np.array([1, 1, -1, -1]) * 0.05
    np.testing.assert_allclose(smaller[:, :, 0], large[:, :, 0] + border, atol=1e-6)
