"""Losses of pairs: EuclideanLoss, L1Loss, SmoothL1Loss, ContrastiveLoss."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness, check_gradients

NAMES = 'bottom: "output" bottom: "label"'


def euclidean(*shapes: tuple[int, ...]) -> LayerHarness:
    return LayerHarness(f'type: "EuclideanLoss" {NAMES}', [np.ones(shape) for shape in shapes])


def test_the_loss_weight_scales_both_gradients() -> None:
    harness = LayerHarness(
        f'type: "EuclideanLoss" {NAMES}', [[[3.0, 1.0], [0.0, 0.0]], [[1.0, 1.0], [0.0, 4.0]]]
    )
    assert harness.forward()[0] == 5.0
    a, b = harness.backward([10.0])
    assert a is not None
    assert b is not None
    assert a.tolist() == [[10.0, 0.0], [0.0, -20.0]]
    assert b.tolist() == (-a).tolist()


def test_only_the_wanted_gradients_are_written() -> None:
    harness = euclidean((3, 2), (3, 2))
    harness.dbottoms[1] = None
    harness.forward()
    a, b = harness.backward([1.0])
    assert a is not None
    assert not a.any()
    assert b is None


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (
            ((10, 2), (10, 1, 1, 3)),
            "expected as many values per item in both bottoms, got 'output' 10x2 (2 per item) "
            "and 'label' 10x1x1x3 (3 per item)",
        ),
        (
            ((10, 2), (5, 4)),
            "expected as many items in both bottoms, got 'output' 10x2 (10 items) "
            "and 'label' 5x4 (5 items)",
        ),
        (((10, 2), ()), "expected at least 1 axis, got a scalar"),
    ],
)
def test_bottoms_that_do_not_fit(shapes: tuple[tuple[int, ...], ...], message: str) -> None:
    with pytest.raises(LayerError) as caught:
        euclidean(*shapes)
    assert (str(caught.value), caught.value.path) == (message, ("bottom", 1))


def pair(text: str, a: object, b: object, *more: object) -> tuple[float, list[list[float]]]:
    """The loss, and the gradients of both sides for a weight of 1."""
    harness = LayerHarness(text, [a, b, *more], dtype=np.float64)
    (loss,) = harness.forward()
    return float(loss), [dx.tolist() for dx in harness.backward([1.0])[:2] if dx is not None]


@pytest.mark.parametrize("kind", ["L1Loss", "AbsLoss"])
def test_l1_counts_sizes(kind: str) -> None:
    loss, (a, b) = pair(f'type: "{kind}"', [[3.0, 1.0], [0.0, 2.0]], [[1.0, 1.0], [0.5, 6.0]])
    assert loss == 3.25
    assert a == [[0.5, 0.0], [-0.5, -0.5]]
    assert b == [[-0.5, 0.0], [0.5, 0.5]]


def test_smooth_l1_is_square_within_and_straight_beyond() -> None:
    text = 'type: "SmoothL1Loss" smooth_l1_loss_param { sigma: 2 }'
    loss, (a, b) = pair(text, [[0.125, 3.0]], [[0.0, 0.0]])
    assert loss == 0.5 * 4 * 0.125**2 + 3 - 0.125
    assert a == [[0.5, 1.0]]
    assert b == [[-0.5, -1.0]]


def test_smooth_l1_weighs_inside_and_outside() -> None:
    ones = [[0.25, 4.0, 1.0]]
    inside, outside = [[2.0, 1.0, 0.0]], [[3.0, 0.5, 7.0]]
    loss, (a, _) = pair('type: "SmoothL1Loss"', ones, [[0.0, 0.0, 0.0]], inside, outside)
    assert loss == 3 * 0.5 * 0.5**2 + 0.5 * 3.5
    assert a == [[3 * 2 * 0.5, 0.5, 0.0]]


def test_contrastive_draws_and_pushes() -> None:
    """A pair alike, one inside the margin, one beyond it, one at the same place."""
    a = [[3.0, 4.0], [0.6, 0.8], [6.0, 8.0], [1.0, 1.0]]
    b = [[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [1.0, 1.0]]
    text = 'type: "ContrastiveLoss" contrastive_loss_param { margin: 3 }'
    loss, (da, db) = pair(text, a, b, [1.0, 0.0, 0.0, 0.0])
    np.testing.assert_allclose(loss, (25 + 4 + 0 + 9) / 8, rtol=1e-12)
    near = -2 / 1.0001 / 4
    expected = [[0.75, 1.0], [0.6 * near, 0.8 * near], [0, 0], [0, 0]]
    np.testing.assert_allclose(da, expected, rtol=1e-12)
    np.testing.assert_allclose(db, -np.array(da), rtol=1e-12)


def test_contrastive_agrees_with_differences_where_its_constant_does_not_count() -> None:
    """The gradient has d + 1e-4 where the formula has d: at d = 1000 that is 1e-7."""
    generator = np.random.default_rng(0)
    bottoms = [1000 * generator.standard_normal((6, 4)) for _ in range(2)]
    text = 'type: "ContrastiveLoss" contrastive_loss_param { margin: 9000 }'
    check_gradients(text, [*bottoms, np.array([0.0, 1, 0, 0, 1, 0])])


def test_what_counts_as_alike() -> None:
    text = 'type: "ContrastiveLoss" contrastive_loss_param { margin: 3 }'
    a, b = np.full((4, 1), 2.0), np.zeros((4, 1))
    for y, expected in ((0.9, 0.5), (-0.9, 0.5), (1.0, 2.0), (-3.0, 2.0)):
        assert pair(text, a, b, np.full(4, y))[0] == expected


@pytest.mark.parametrize(
    ("text", "shapes", "message", "path"),
    [
        (
            'type: "SmoothL1Loss" smooth_l1_loss_param { sigma: 0 }',
            ((3, 2), (3, 2)),
            "expected a sigma above 0, got 0",
            ("smooth_l1_loss_param", "sigma"),
        ),
        (
            'type: "SmoothL1Loss"',
            ((3, 2), (3, 2), (3, 1)),
            "expected as many weights in 'x2' as values in 'x0' (3x2), got 3x1",
            ("bottom", 2),
        ),
        (
            'type: "SmoothL1Loss"',
            ((3, 2), (3, 2), (3, 2), (2,)),
            "expected as many weights in 'x3' as values in 'x0' (3x2), got 2",
            ("bottom", 3),
        ),
        (
            'type: "ContrastiveLoss"',
            ((3, 2), (3, 2), (2,)),
            "expected one value in 'x2' for each of the 3 pairs, got 2",
            ("bottom", 2),
        ),
        (
            'type: "ContrastiveLoss"',
            ((3, 2), (3, 4), (3,)),
            "expected as many values per item in both bottoms, got 'x0' 3x2 (2 per item) "
            "and 'x1' 3x4 (4 per item)",
            ("bottom", 1),
        ),
    ],
)
def test_mistakes_of_pairs(
    text: str,
    shapes: tuple[tuple[int, ...], ...],
    message: str,
    path: tuple[str | int, ...],
) -> None:
    with pytest.raises(LayerError) as caught:
        LayerHarness(text, [np.ones(shape) for shape in shapes])
    assert (str(caught.value), caught.value.path) == (message, path)
