"""Layers that make few values of many."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness


@pytest.mark.parametrize(
    ("operation", "expected", "gradient"),
    [
        ("SUM", -2, [2, 2, 2]),
        ("ASUM", 6, [2, 0, -2]),
        ("SUMSQ", 10, [4, 0, -8]),
        ("MEAN", -2 / 3, [2 / 3] * 3),
        ("MAX", 2, [2, 0, 0]),
        ("MIN", -4, [0, 0, 2]),
    ],
)
def test_reductions(operation: str, expected: float, gradient: list[float]) -> None:
    text = f'type: "Reduction" reduction_param {{ operation: {operation} coeff: 2 }}'
    harness = LayerHarness(text, [[1.0, 0.0, -2.0]], dtype=np.float64)
    (y,) = harness.forward()
    assert y.shape == ()
    assert y == pytest.approx(expected)
    (dx,) = harness.backward([1.0])
    assert dx == pytest.approx(gradient)
    harness.dbottoms = [None]
    assert harness.backward([1.0]) == [None]


@pytest.mark.parametrize("operation", ["SUM", "ASUM", "SUMSQ", "MEAN", "MAX", "MIN"])
def test_no_values_give_0(operation: str) -> None:
    text = f'type: "Reduction" reduction_param {{ operation: {operation} }}'
    harness = LayerHarness(text, [np.zeros((0, 3))])
    assert harness.forward()[0] == 0
    (dx,) = harness.backward([np.float32(1)])
    assert dx is not None
    assert dx.shape == (0, 3)


def test_axes_in_the_middle() -> None:
    x = np.arange(24.0).reshape(2, 3, 4)
    text = 'type: "Reduction" reduction_param { operation: MEAN axis: -2 num_axes: 1 }'
    harness = LayerHarness(text, [x], dtype=np.float64)
    np.testing.assert_allclose(harness.forward()[0], x.mean(axis=1))
    dy = np.arange(8.0).reshape(2, 4)
    np.testing.assert_allclose(harness.backward([dy])[0], np.stack([dy / 3] * 3, axis=1))


@pytest.mark.parametrize("operation", ["MAX", "MIN"])
def test_the_first_of_equal_values_gets_the_gradient(operation: str) -> None:
    text = f'type: "Reduction" reduction_param {{ operation: {operation} axis: 1 num_axes: 1 }}'
    x = np.ones((2, 3, 2))
    x[1, 0] = -1 if operation == "MAX" else 2
    harness = LayerHarness(text, [x])
    assert harness.forward()[0].tolist() == [[1, 1], [1, 1]]
    (dx,) = harness.backward([np.array([[1.0, 2], [3, 4]])])
    assert dx is not None
    assert dx.tolist() == [[[1, 2], [0, 0], [0, 0]], [[0, 0], [3, 4], [0, 0]]]


@pytest.mark.parametrize("count", [0, 3, -2])
def test_a_number_of_axes_that_is_not_there(count: int) -> None:
    text = f'type: "Reduction" reduction_param {{ axis: 1 num_axes: {count} }}'
    with pytest.raises(LayerError, match="expected 1 <= num_axes <= 2, the axes from axis 1") as e:
        LayerHarness(text, [np.ones((2, 3, 4))])
    assert e.value.path == ("reduction_param", "num_axes")


def test_a_reduction_refuses_an_axis_that_is_not_there() -> None:
    with pytest.raises(LayerError, match="axis 2 is out of range for a bottom of shape 2x3") as e:
        LayerHarness('type: "Reduction" reduction_param { axis: 2 }', [np.ones((2, 3))])
    assert e.value.path == ("reduction_param", "axis")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("", [[[2]]]),
        ("out_max_val: true", [[[2], [5]]]),
        ("out_max_val: true top_k: 4", [[[2, 1, 3, 0], [5, 5, -np.inf, -np.inf]]]),
        ("axis: 1", [[2]]),
        ("axis: 1 out_max_val: true top_k: 2", [[5, 5]]),
    ],
)
def test_of_equal_values_the_larger_index_comes_first(fields: str, expected: list[object]) -> None:
    """Even where the values are the least there are."""
    text = f'type: "ArgMax" argmax_param {{ {fields} }}'
    harness = LayerHarness(text, [[[-np.inf, 5.0, 5.0, -np.inf]]])
    assert harness.forward()[0].tolist() == expected


def test_no_number_has_no_place() -> None:
    harness = LayerHarness('type: "ArgMax" argmax_param { top_k: 2 }', [[[1.0, np.nan, 2.0]]])
    assert harness.forward()[0].tolist() == [[[-1, -1]]]


@pytest.mark.parametrize(
    ("fields", "shape", "message", "path"),
    [
        ("", (), "expected at least 1 axis, got a scalar", ("bottom", 0)),
        (
            "argmax_param { top_k: 7 }",
            (2, 3, 2),
            "expected 1 <= top_k <= 6, the number of values, got 7",
            ("argmax_param", "top_k"),
        ),
        (
            "argmax_param { top_k: 0 axis: 1 }",
            (2, 3, 2),
            "expected 1 <= top_k <= 3, the number of values, got 0",
            ("argmax_param", "top_k"),
        ),
        (
            "argmax_param { axis: 3 }",
            (2, 3, 2),
            "axis 3 is out of range for a bottom of shape 2x3x2",
            ("argmax_param", "axis"),
        ),
        (
            "loss_weight: 1",
            (2, 3),
            "the index of a maximum has no gradient and cannot be part of the objective",
            ("loss_weight",),
        ),
    ],
)
def test_mistakes_of_argmax(
    fields: str, shape: tuple[int, ...], message: str, path: tuple[str | int, ...]
) -> None:
    with pytest.raises(LayerError) as caught:
        LayerHarness(f'type: "ArgMax" {fields}', [np.ones(shape)])
    assert (str(caught.value), caught.value.path) == (message, path)
