"""Losses of classes: values by hand, labels to ignore, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness

X = [[2.0, -0.5, 0.0], [-3.0, 0.25, 0.5]]


def run(text: str, *bottoms: object) -> tuple[float, np.ndarray]:
    """The loss, and the gradient of the first bottom for a weight of 1."""
    harness = LayerHarness(text, list(bottoms), dtype=np.float64)
    loss = harness.forward()[0]
    dx = harness.backward([np.ones(top.shape) for top in harness.tops])[0]
    assert dx is not None
    return float(loss), dx


def test_hinge() -> None:
    """Margins: 0, 0.5, 1 of the first item; 0, 0.75, 1.5 of the second, where x is inside."""
    loss, dx = run('type: "HingeLoss"', X, [0, 1])
    assert loss == (0.5 + 1 + 0.75 + 1.5) / 2
    assert dx.tolist() == [[0, 0.5, 0.5], [0, -0.5, 0.5]]
    loss, dx = run('type: "HingeLoss" hinge_loss_param { norm: L2 }', X, [0, 1])
    assert loss == (0.25 + 1 + 0.5625 + 2.25) / 2
    assert dx.tolist() == [[0, 0.5, 1], [0, -0.75, 1.5]]


def test_multinomial_has_a_floor() -> None:
    loss, dx = run('type: "MultinomialLogisticLoss"', [[0.25, 0.75], [0.0, 1.0]], [0, 0])
    np.testing.assert_allclose(loss, (np.log(4) + np.log(1e20)) / 2)
    np.testing.assert_allclose(dx, [[-2, 0], [-0.5e20, 0]])


def test_sigmoid_cross_entropy_far_out_and_in_the_middle() -> None:
    loss, dx = run('type: "SigmoidCrossEntropyLoss"', [[0.0, 800.0, -800.0]], [[0.5, 1.0, 1.0]])
    np.testing.assert_allclose(loss, np.log(2) + 800)
    np.testing.assert_allclose(dx, [[0, 0, -1]], atol=1e-12)


def test_sigmoid_cross_entropy_leaves_out_what_it_is_told_to() -> None:
    text = 'type: "SigmoidCrossEntropyLoss" loss_param {{ ignore_label: -1 {} }}'
    targets = [[-1.0, 1.0], [-1.2, 0.0]]
    for fields, divisor in (("", 2), ("normalization: VALID", 2), ("normalization: FULL", 4)):
        loss, dx = run(text.format(fields), np.zeros((2, 2)), targets)
        np.testing.assert_allclose(loss, 2 * np.log(2) / divisor)
        np.testing.assert_allclose(dx, np.array([[0, -0.5], [0, 0.5]]) / divisor)
    loss, dx = run(text.format("normalize: true"), np.zeros((1, 2)), [[-1.0, -1.0]])
    assert (loss, dx.any()) == (0.0, False)


@pytest.mark.parametrize(
    ("text", "shapes", "message", "path"),
    [
        (
            'type: "HingeLoss"',
            ((3, 5), (4,)),
            "expected one label in 'x1' for each of the 3 items of 'x0' (3x5, classes along "
            "axis 1), got 4 (4)",
            ("bottom", 1),
        ),
        (
            'type: "MultinomialLogisticLoss"',
            ((), (1,)),
            "expected at least 1 axis, got a scalar",
            ("bottom", 0),
        ),
        (
            'type: "InfogainLoss"',
            ((3, 5), (3,)),
            "expected the matrix H in one place, got neither a source nor a bottom",
            (),
        ),
        (
            'type: "InfogainLoss" infogain_loss_param { source: "h" }',
            ((3, 5), (3,), (5, 5)),
            "expected the matrix H in one place, got both a source and a third bottom",
            ("infogain_loss_param",),
        ),
        (
            'type: "InfogainLoss"',
            ((3, 5), (3,), (5, 4)),
            "expected a matrix H of 5 x 5 classes, got 5x4",
            ("bottom", 2),
        ),
        (
            'type: "InfogainLoss" infogain_loss_param { axis: 2 }',
            ((3, 5), (3,), (5, 5)),
            "axis 2 is out of range for a bottom of shape 3x5",
            ("infogain_loss_param", "axis"),
        ),
        (
            'type: "InfogainLoss" top: "l" top: "p" loss_weight: 1 loss_weight: 1',
            ((3, 5), (3,), (5, 5)),
            "the probabilities of the second top cannot be part of the objective",
            ("loss_weight", 1),
        ),
        (
            'type: "SigmoidCrossEntropyLoss"',
            ((3, 5), (3, 4)),
            "expected a target for each score, got 3x5 scores and 3x4 targets",
            ("bottom", 1),
        ),
        (
            'type: "SigmoidCrossEntropyLoss"',
            ((), ()),
            "expected at least 1 axis, got a scalar",
            ("bottom", 0),
        ),
    ],
)
def test_mistakes(
    text: str,
    shapes: tuple[tuple[int, ...], ...],
    message: str,
    path: tuple[str | int, ...],
) -> None:
    with pytest.raises(LayerError) as caught:
        LayerHarness(text, [np.ones(shape) for shape in shapes])
    assert (str(caught.value), caught.value.path) == (message, path)


@pytest.mark.parametrize("kind", ["HingeLoss", "MultinomialLogisticLoss", "InfogainLoss"])
def test_a_label_that_is_no_class(kind: str) -> None:
    bottoms: list[object] = [np.full((2, 3), 0.5), [0, 3]]
    if kind == "InfogainLoss":
        bottoms.append(np.eye(3))
    with pytest.raises(LayerError, match="label 3 in 'x1' is not one of the 3 classes 0 to 2"):
        LayerHarness(f'type: "{kind}"', bottoms).forward()


@pytest.mark.parametrize(
    "kind", ["HingeLoss", "MultinomialLogisticLoss", "InfogainLoss", "SigmoidCrossEntropyLoss"]
)
def test_an_unwanted_gradient_is_left_out(kind: str) -> None:
    bottoms: list[object] = [np.full((2, 3), 0.5), [0, 1]]
    if kind == "InfogainLoss":
        bottoms.append(np.eye(3))
    if kind == "SigmoidCrossEntropyLoss":
        bottoms[1] = np.ones((2, 3))
    harness = LayerHarness(f'type: "{kind}"', bottoms)
    harness.dbottoms = [None] * len(bottoms)
    harness.forward()
    assert harness.backward([1.0]) == [None] * len(bottoms)
