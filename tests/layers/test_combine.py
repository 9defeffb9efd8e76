"""Layers that make one blob of several."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness


def test_the_greatest_of_equal_values() -> None:
    """The second of the first two wins, and the earlier of the others."""
    bottoms = [[1.0, 5.0, 2.0, 7.0], [1.0, 4.0, 2.0, 7.0], [1.0, 5.0, 3.0, 6.0]]
    harness = LayerHarness('type: "Eltwise" eltwise_param { operation: MAX }', bottoms)
    assert harness.forward()[0].tolist() == [1, 5, 3, 7]
    gradients = [np.asarray(dx).tolist() for dx in harness.backward([[1.0, 2.0, 3.0, 4.0]])]
    assert gradients == [[0, 2, 0, 0], [1, 0, 0, 4], [0, 0, 3, 0]]


def test_the_greatest_of_no_number_is_no_number() -> None:
    bottoms = [[np.nan, 1.0], [1.0, np.nan]]
    harness = LayerHarness('type: "Eltwise" eltwise_param { operation: MAX }', bottoms)
    assert np.isnan(harness.forward()[0]).all()


def test_a_stable_product_has_a_gradient_at_zero() -> None:
    bottoms = [[0.0, 2.0], [3.0, 0.0], [4.0, 5.0]]
    harness = LayerHarness('type: "Eltwise" eltwise_param { operation: PROD }', bottoms)
    assert harness.forward()[0].tolist() == [0, 0]
    gradients = [np.asarray(dx).tolist() for dx in harness.backward([[1.0, 1.0]])]
    assert gradients == [[12, 0], [0, 10], [0, 0]]


@pytest.mark.parametrize("operation", ["SUM", "PROD", "MAX"])
def test_eltwise_writes_only_the_wanted_gradients(operation: str) -> None:
    text = f'type: "Eltwise" eltwise_param {{ operation: {operation} }}'
    harness = LayerHarness(text, [[1.0], [2.0]])
    harness.dbottoms[0] = None
    harness.forward()
    first, second = harness.backward([[3.0]])
    assert first is None
    assert second is not None
    assert second.tolist() == [3.0]


@pytest.mark.parametrize(
    ("fields", "message", "path"),
    [
        ("", "expected bottoms of the same shape, got 'x0' 2x3 and 'x1' 3x2", ("bottom", 1)),
        (
            "eltwise_param { coeff: 1 }",
            "expected one coeff for each of the 2 bottoms, got 1",
            ("eltwise_param", "coeff"),
        ),
        (
            "eltwise_param { operation: PROD coeff: 1 coeff: 1 }",
            "coeff is for operation SUM, got PROD",
            ("eltwise_param", "coeff"),
        ),
    ],
)
def test_mistakes_of_eltwise(fields: str, message: str, path: tuple[str | int, ...]) -> None:
    with pytest.raises(LayerError) as caught:
        LayerHarness(f'type: "Eltwise" {fields}', [np.ones((2, 3)), np.ones((3, 2))])
    assert (str(caught.value).split("\n")[0], caught.value.path) == (message, path)


def test_eltwise_needs_two_bottoms() -> None:
    with pytest.raises(LayerError, match=r"expected at least 2 bottom blob\(s\), got 1"):
        LayerHarness('type: "Eltwise"', [[1.0]])


def test_axpy_by_hand() -> None:
    bottoms = [[[2.0, 3.0]], [[[1.0, 2.0], [3.0, 4.0]]], [[[10.0, 20.0], [30.0, 40.0]]]]
    harness = LayerHarness('type: "Axpy"', bottoms)
    assert harness.forward()[0].tolist() == [[[12, 24], [39, 52]]]
    gradients = harness.backward([[[[1.0, 10.0], [100.0, 0.0]]]])
    assert [np.asarray(gradient).tolist() for gradient in gradients] == [
        [[21, 300]],
        [[[2, 20], [300, 0]]],
        [[[1, 10], [100, 0]]],
    ]
    harness.dbottoms = [None, None, None]
    assert harness.backward([np.ones((1, 2, 2))]) == [None, None, None]


@pytest.mark.parametrize(
    ("shapes", "message", "place"),
    [
        (
            [(2, 3), (2, 3, 5), (2, 3, 7)],
            "expected bottoms of the same shape, got 'x1' 2x3x5 and 'x2' 2x3x7",
            2,
        ),
        (
            [(2, 5), (2, 3, 5), (2, 3, 5)],
            "expected one factor for each item and channel (N x C), got 'x0' 2x5 for 'x1' 2x3x5",
            0,
        ),
        (
            [(2, 3, 5), (2, 3, 5), (2, 3, 5)],
            "expected one factor for each item and channel (N x C), got 'x0' 2x3x5 for 'x1' 2x3x5",
            0,
        ),
        (
            [(2,), (2,), (2,)],
            "expected one factor for each item and channel (N x C), got 'x0' 2 for 'x1' 2",
            0,
        ),
    ],
)
def test_mistakes_of_axpy(shapes: list[tuple[int, ...]], message: str, place: int) -> None:
    with pytest.raises(LayerError) as caught:
        LayerHarness('type: "Axpy"', [np.ones(shape) for shape in shapes])
    assert (str(caught.value), caught.value.path) == (message, ("bottom", place))
