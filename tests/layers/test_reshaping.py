"""Flatten and Reshape."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness

X = np.arange(210.0).reshape(2, 3, 5, 7)


def top(text: str) -> np.ndarray:
    harness = LayerHarness(text, [X])
    assert harness.layer.traits.view
    assert not harness.layer.traits.backward_reads
    return harness.forward()[0]


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ('type: "Flatten"', (2, 105)),
        ('type: "Flatten" flatten_param { axis: 0 end_axis: 1 }', (6, 5, 7)),
        ('type: "Flatten" flatten_param { axis: -2 }', (2, 3, 35)),
        ('type: "Flatten" flatten_param { axis: 2 end_axis: 2 }', (2, 3, 5, 7)),
        ('type: "Reshape" reshape_param { shape { dim: 0 dim: -1 } }', (2, 105)),
        ('type: "Reshape" reshape_param { shape { dim: 0 dim: 0 dim: 35 } }', (2, 3, 35)),
        ('type: "Reshape" reshape_param { shape { dim: 15 } axis: 1 num_axes: 2 }', (2, 15, 7)),
        ('type: "Reshape" reshape_param { shape { dim: 0 dim: -1 } axis: 1 }', (2, 3, 35)),
        ('type: "Reshape" reshape_param { shape { dim: -1 dim: 1 } axis: -3 }', (2, 3, 35, 1)),
        (
            'type: "Reshape" reshape_param { shape { dim: 1 } axis: -1 num_axes: 0 }',
            (2, 3, 5, 7, 1),
        ),
    ],
)
def test_shapes(text: str, shape: tuple[int, ...]) -> None:
    np.testing.assert_array_equal(top(text), X.reshape(shape))


def test_the_shape_of_no_items_is_that_of_an_item() -> None:
    harness = LayerHarness('type: "Reshape" reshape_param { shape { dim: 0 dim: 5 dim: -1 } }', [X])
    assert harness.layer.infer([(0, 3, 5, 7)]) == [(0, 5, 21)]
    with pytest.raises(LayerError, match="36 values cannot be divided by 5"):
        harness.layer.infer([(0, 3, 3, 4)])


def test_without_a_wanted_gradient_none_is_written() -> None:
    harness = LayerHarness('type: "Flatten"', [X])
    harness.dbottoms = [None]
    assert harness.backward([np.ones((2, 105))]) == [None]


@pytest.mark.parametrize(
    ("text", "message", "path"),
    [
        (
            'type: "Flatten" flatten_param { axis: 4 }',
            "axis 4 is out of range for a bottom of shape 2x3x5x7",
            ("flatten_param", "axis"),
        ),
        (
            'type: "Flatten" flatten_param { axis: 2 end_axis: -3 }',
            "expected axis <= end_axis, got 2 and -3 for a bottom of shape 2x3x5x7",
            ("flatten_param", "end_axis"),
        ),
        (
            'type: "Reshape" reshape_param { shape { dim: 2 dim: -2 } }',
            "expected a dim of -1, 0 or more, got -2",
            ("reshape_param", "shape", "dim", 1),
        ),
        (
            'type: "Reshape" reshape_param { shape { dim: -1 dim: -1 } }',
            "expected at most one dim of -1, got 2",
            ("reshape_param", "shape"),
        ),
        (
            'type: "Reshape" reshape_param { shape { dim: -1 dim: 4 } }',
            "a bottom of shape 2x3x5x7 does not fit dims [-1 4]: 210 values cannot be divided by 4",
            ("reshape_param", "shape"),
        ),
        (
            'type: "Reshape" reshape_param { shape { dim: 2 dim: 100 } }',
            "a bottom of shape 2x3x5x7 does not fit dims [2 100]: 210 values do not make 200",
            ("reshape_param", "shape"),
        ),
        (
            'type: "Reshape"',
            "a bottom of shape 2x3x5x7 does not fit dims []: 210 values do not make 1",
            (),
        ),
        (
            'type: "Reshape" reshape_param { shape { dim: 0 dim: 0 } axis: 3 }',
            "dim: 0 copies axis 4, which a bottom of shape 2x3x5x7 has not",
            ("reshape_param", "shape"),
        ),
        (
            'type: "Reshape" reshape_param { shape { dim: 1 } axis: 5 }',
            "axis 5 is out of range for a bottom of shape 2x3x5x7",
            ("reshape_param", "axis"),
        ),
        (
            'type: "Reshape" reshape_param { shape { dim: 1 } axis: 2 num_axes: 3 }',
            "expected num_axes of -1 to 2 for a bottom of shape 2x3x5x7 from axis 2 on, got 3",
            ("reshape_param", "num_axes"),
        ),
    ],
)
def test_mistakes(text: str, message: str, path: tuple[str | int, ...]) -> None:
    with pytest.raises(LayerError) as caught:
        LayerHarness(text, [X])
    assert (str(caught.value), caught.value.path) == (message, path)


@pytest.mark.parametrize(
    ("fields", "shape"),
    [("", (2, 3, 5)), ("axis: 1", (2, 3, 1, 5)), ("axis: -2 axis: 1", (2, 3, 5))],
)
def test_squeeze_leaves_out_axes_of_1(fields: str, shape: tuple[int, ...]) -> None:
    x = np.arange(30.0).reshape(2, 1, 3, 1, 5)
    (y,) = LayerHarness(f'type: "Squeeze" squeeze_param {{ {fields} }}', [x]).forward()
    np.testing.assert_array_equal(y, x.reshape(shape))


@pytest.mark.parametrize(
    ("axis", "message"),
    [(2, "expected an axis of extent 1, got axis 2 of 2x1x3"), (3, "axis 3 is out of range")],
)
def test_squeeze_takes_axes_of_1_alone(axis: int, message: str) -> None:
    with pytest.raises(LayerError, match=message):
        LayerHarness(f'type: "Squeeze" squeeze_param {{ axis: {axis} }}', [np.zeros((2, 1, 3))])


def test_channels_become_blocks_of_places() -> None:
    x = np.random.default_rng(2).standard_normal((2, 12, 3, 5))
    harness = LayerHarness('type: "Reshape" reshape_param { pixelshuffler: 2 }', [x], dtype=float)
    (y,) = harness.forward()
    assert y.shape == (2, 3, 6, 10)
    for c in range(12):
        np.testing.assert_array_equal(y[:, c // 4, c % 4 // 2 :: 2, c % 2 :: 2], x[:, c])
    (dx,) = harness.backward([y])
    np.testing.assert_array_equal(dx, x)


@pytest.mark.parametrize(
    ("fields", "shape", "message"),
    [
        ("pixelshuffler: 0", (2, 4, 3, 5), "expected a pixelshuffler of 1 or more, got 0"),
        ("pixelshuffler: 2 shape { dim: -1 }", (2, 4, 3, 5), "cannot be combined"),
        ("pixelshuffler: 2", (2, 6, 3, 5), "with a C that 4 divides, got 2x6x3x5"),
        ("pixelshuffler: 2", (2, 4), "expected N x C x H x W"),
    ],
)
def test_blocks_that_cannot_be(fields: str, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(LayerError, match=message):
        LayerHarness(f'type: "Reshape" reshape_param {{ {fields} }}', [np.zeros(shape)])
