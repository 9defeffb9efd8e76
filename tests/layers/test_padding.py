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


def test_negative_paddings_crop() -> None:
    x = np.arange(12.0).reshape(3, 4) + 1
    harness = LayerHarness('type: "Pad" pad_param { paddings: [-1, 1, 2, -3] }', [x])
    np.testing.assert_array_equal(harness.forward()[0], [[0, 0, 5], [0, 0, 9], [0, 0, 0]])
    (dx,) = harness.backward([np.arange(9.0).reshape(3, 3)])
    np.testing.assert_array_equal(dx, [[0] * 4, [2, 0, 0, 0], [5, 0, 0, 0]])


@pytest.mark.parametrize("mode", ["REFLECT", "EDGE"])
@pytest.mark.parametrize("pads", [(2, 1, 0, 3), (2, 2, 3, 0), (0, 0, 0, 0)])
def test_a_border_of_the_values_themselves(mode: str, pads: tuple[int, ...]) -> None:
    x = np.random.default_rng(3).integers(-9, 9, (2, 3, 4)).astype(np.float32)
    text = f'type: "Pad" pad_param {{ mode: {mode} paddings: [0, 0, {", ".join(map(str, pads))}] }}'
    harness = LayerHarness(text, [x])
    expected = np.pad(x, [(0, 0), pads[:2], pads[2:]], mode=mode.lower())
    np.testing.assert_array_equal(harness.forward()[0], expected)


def test_what_is_mirrored_may_have_been_cropped_at_the_other_end() -> None:
    x = np.arange(4.0)
    harness = LayerHarness('type: "Pad" pad_param { mode: REFLECT paddings: [-2, 3] }', [x])
    np.testing.assert_array_equal(harness.forward()[0], [2, 3, 2, 1, 0])
    (dx,) = harness.backward([np.array([1.0, 10, 100, 1000, 10000])])
    np.testing.assert_array_equal(dx, [10000, 1000, 101, 10])


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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "paddings: [0, 0, -1, -2]",
            "paddings -1 and -2 cut off all values of axis 1, which has 3",
        ),
        ("paddings: [0, 0, -3, 9]", "paddings -3 and 9 cut off all values of axis 1, which has 3"),
        (
            "mode: REFLECT paddings: [0, 2, 0, 0]",
            "axis 0 has 2 values, too few for a border of 2 in mode REFLECT",
        ),
    ],
)
def test_borders_that_do_not_fit(text: str, message: str) -> None:
    with pytest.raises(LayerError, match=message):
        LayerHarness(f'type: "Pad" pad_param {{ {text} }}', [np.zeros((2, 3))])
