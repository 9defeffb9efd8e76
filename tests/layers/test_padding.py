"""Pad."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness


def test_a_border_of_a_value() -> None:
    x = np.arange(6.0).reshape(2, 3)
    text = 'type: "Pad" pad_param { paddings: [1, 0, 0, 2] constant_values: -4 }'
    harness = LayerHarness(text, [x])
    np.testing.assert_array_equal(
        harness.forward()[0], np.pad(x, [(1, 0), (0, 2)], constant_values=-4)
    )
    dy = np.arange(15.0).reshape(3, 5)
    (dx,) = harness.backward([dy])
    np.testing.assert_array_equal(dx, dy[1:, :3])


@pytest.mark.parametrize("paddings", ["", "paddings: [1, 1]", "paddings: [1, 1, 1, 1, 1]"])
def test_two_paddings_for_each_axis(paddings: str) -> None:
    with pytest.raises(LayerError, match="expected two paddings for each axis of 2x3, 4, got"):
        LayerHarness(f'type: "Pad" pad_param {{ {paddings} }}', [np.zeros((2, 3))])


def test_a_negative_padding_cuts_off() -> None:
    x = np.arange(15.0).reshape(3, 5)
    text = 'type: "Pad" pad_param { paddings: [-1, 2, -1, -2] constant_values: 7 }'
    harness = LayerHarness(text, [x])
    np.testing.assert_array_equal(
        harness.forward()[0], np.pad(x[1:, 1:3], [(0, 2), (0, 0)], constant_values=7)
    )
    dy = np.arange(8.0).reshape(4, 2)
    expected = np.zeros((3, 5))
    expected[1:, 1:3] = dy[:2]
    np.testing.assert_array_equal(harness.backward([dy])[0], expected)


def test_a_padding_leaves_something() -> None:
    with pytest.raises(LayerError, match="cut off all values of axis 1, which has 3") as caught:
        LayerHarness('type: "Pad" pad_param { paddings: [0, 0, -2, -1] }', [np.zeros((2, 3))])
    assert caught.value.path == ("pad_param", "paddings", 2)
