"""Layers that put the values of a blob in another order."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness


@pytest.mark.parametrize(
    ("fields", "order"),
    [("", (0, 1, 2)), ("order: 2", (2, 0, 1)), ("order: 1 order: 2", (1, 2, 0))],
)
def test_axes_that_are_left_out_follow(fields: str, order: tuple[int, ...]) -> None:
    x = np.arange(24.0).reshape(2, 3, 4)
    harness = LayerHarness(f'type: "Permute" permute_param {{ {fields} }}', [x])
    (y,) = harness.forward()
    np.testing.assert_array_equal(y, x.transpose(order))
    np.testing.assert_array_equal(harness.backward([y])[0], x)
    harness.dbottoms = [None]
    assert harness.backward([y]) == [None]


def test_the_order_along_an_axis_is_turned_round() -> None:
    x = np.arange(24.0).reshape(2, 3, 4)
    for fields, turned in (("", x[::-1]), ("axis: 1", x[:, ::-1]), ("axis: -1", x[:, :, ::-1])):
        harness = LayerHarness(f'type: "Reverse" reverse_param {{ {fields} }}', [x])
        (y,) = harness.forward()
        np.testing.assert_array_equal(y, turned)
        np.testing.assert_array_equal(harness.backward([y])[0], x)
        harness.dbottoms = [None]
        assert harness.backward([y]) == [None]
    with pytest.raises(LayerError, match="axis"):
        LayerHarness('type: "Reverse" reverse_param { axis: 3 }', [x])


def test_pictures_are_mirrored() -> None:
    x = np.arange(120.0).reshape(2, 3, 4, 5)
    for fields, turned in (
        ("", x[:, :, :, ::-1]),
        ("flip_height: true", x[:, :, ::-1, ::-1]),
        ("flip_height: true flip_width: false", x[:, :, ::-1]),
        ("flip_width: false", x),
    ):
        harness = LayerHarness(f'type: "Flip" flip_param {{ {fields} }}', [x])
        (y,) = harness.forward()
        np.testing.assert_array_equal(y, turned)
        np.testing.assert_array_equal(harness.backward([y])[0], x)
    with pytest.raises(LayerError, match="expected N x C x H x W, got 'x0' 2x3x4"):
        LayerHarness('type: "Flip"', [x[..., 0]])


def test_channels_are_read_column_by_column() -> None:
    text = 'type: "ShuffleChannel" shuffle_channel_param { group: 2 }'
    harness = LayerHarness(text, [np.arange(12.0).reshape(1, 6, 2)])
    (y,) = harness.forward()
    assert y[0, :, 0].tolist() == [0, 6, 2, 8, 4, 10]
    np.testing.assert_array_equal(harness.backward([y])[0], harness.inputs[0])
    harness.dbottoms = [None]
    assert harness.backward([y]) == [None]


def stacked(x: np.ndarray, s: int) -> np.ndarray:
    """The loop of darknet's reorg_cpu over flat arrays, in the direction of YOLOv2's layer."""
    items, channels, height, width = x.shape
    flat, y = x.reshape(items, -1), np.empty((items, x[0].size))
    planes = channels // s**2
    for k in range(channels):
        for j in range(height):
            for i in range(width):
                offset = k // planes
                row, column = j * s + offset // s, i * s + offset % s
                source = column + width * s * (row + height * s * (k % planes))
                y[:, i + width * (j + height * k)] = flat[:, source]
    return y.reshape(items, channels * s**2, height // s, width // s)


@pytest.mark.parametrize(("shape", "s"), [((2, 8, 4, 6), 2), ((1, 9, 3, 6), 3), ((2, 3, 4, 5), 1)])
def test_blocks_become_channels_in_darknet_s_order(shape: tuple[int, ...], s: int) -> None:
    x = np.random.default_rng(0).standard_normal(shape)
    harness = LayerHarness(f'type: "Reorg" reorg_param {{ stride: {s} }}', [x], dtype=float)
    (y,) = harness.forward()
    np.testing.assert_array_equal(y, stacked(x, s))
    np.testing.assert_array_equal(harness.backward([y])[0], x)
    harness.dbottoms = [None]
    assert harness.backward([y]) == [None]


def test_channels_become_blocks() -> None:
    """Four channels of one value: a block of 2 x 2."""
    x = np.arange(16.0).reshape(1, 4, 2, 2)
    harness = LayerHarness('type: "Reorg" reorg_param { stride: 2 reverse: true }', [x])
    (y,) = harness.forward()
    assert y[0, 0].tolist() == [[0, 4, 1, 5], [8, 12, 9, 13], [2, 6, 3, 7], [10, 14, 11, 15]]
    np.testing.assert_array_equal(harness.backward([y])[0], x)


@pytest.mark.parametrize(
    ("fields", "shape", "message", "path"),
    [
        ("", (1, 4, 2, 2), "expected a stride of 1 or more, got 0", ("reorg_param", "stride")),
        ("stride: 2", (4, 2, 2), "expected 4 axes, N x C x H x W, got 'x0' 4x2x2", ("bottom", 0)),
        (
            "stride: 2 reverse: true",
            (1, 6, 2, 2),
            "expected a stride whose square divides the 6 channels, got 2",
            ("reorg_param", "stride"),
        ),
        (
            "stride: 2",
            (1, 4, 2, 3),
            "expected a stride that divides the plane, 2x3, got 2",
            ("reorg_param", "stride"),
        ),
    ],
)
def test_what_cannot_be_reorganised(
    fields: str, shape: tuple[int, ...], message: str, path: tuple[str | int, ...]
) -> None:
    with pytest.raises(LayerError) as caught:
        LayerHarness(f'type: "Reorg" reorg_param {{ {fields} }}', [np.ones(shape)])
    assert (str(caught.value), caught.value.path) == (message, path)


@pytest.mark.parametrize(
    ("text", "message", "path"),
    [
        (
            'type: "Permute" permute_param { order: 1 order: 1 }',
            "axis 1 is repeated in order",
            ("permute_param", "order", 1),
        ),
        (
            'type: "Permute" permute_param { order: 0 order: 3 }',
            "axis 3 is out of range for a bottom of shape 2x4x3",
            ("permute_param", "order", 1),
        ),
        (
            'type: "ShuffleChannel" shuffle_channel_param { group: 3 }',
            "expected a group that divides the 4 channels, got 3",
            ("shuffle_channel_param", "group"),
        ),
        (
            'type: "ShuffleChannel" shuffle_channel_param { group: 0 }',
            "expected a group that divides the 4 channels, got 0",
            ("shuffle_channel_param", "group"),
        ),
    ],
)
def test_mistakes(text: str, message: str, path: tuple[str | int, ...]) -> None:
    with pytest.raises(LayerError) as caught:
        LayerHarness(text, [np.ones((2, 4, 3))])
    assert (str(caught.value), caught.value.path) == (message, path)


def test_channels_need_an_axis() -> None:
    with pytest.raises(LayerError, match="expected at least 2 axes, got 'x0' 4") as caught:
        LayerHarness('type: "ShuffleChannel"', [np.ones(4)])
    assert caught.value.path == ("bottom", 0)
