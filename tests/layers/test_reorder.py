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


def test_channels_are_read_column_by_column() -> None:
    text = 'type: "ShuffleChannel" shuffle_channel_param { group: 2 }'
    harness = LayerHarness(text, [np.arange(12.0).reshape(1, 6, 2)])
    (y,) = harness.forward()
    assert y[0, :, 0].tolist() == [0, 6, 2, 8, 4, 10]
    np.testing.assert_array_equal(harness.backward([y])[0], harness.inputs[0])
    harness.dbottoms = [None]
    assert harness.backward([y]) == [None]


@pytest.mark.parametrize(
    ("text", "message", "path"),
    [
        (
            'type: "Permute" permute_param { order: 1 order: 1 }',
            "axis 1 comes twice in order",
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
