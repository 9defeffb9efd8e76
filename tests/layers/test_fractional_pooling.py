"""FractionalPooling: the places of windows, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness


def harness(text: str, x: np.ndarray) -> LayerHarness:
    return LayerHarness(f'type: "FractionalPooling" fractional_pooling_param {{ {text} }}', [x])


def test_windows_cover_the_axis_in_steps_that_alternate() -> None:
    """Of increasing values the maximum is the last of its window, which tells where that is."""
    x = np.broadcast_to(np.arange(25.0), (4, 5, 3, 25)).astype(np.float32)
    (y,) = harness("kernel_size: [3, 2] output_size: [1, 16]", x).forward()
    starts = y[:, :, 0] - 1
    assert (starts[:, :, 0] == 0).all()
    assert (starts[:, :, -1] == 23).all()
    assert set(np.diff(starts[:, :, :-1]).ravel()) == {1.0, 2.0}
    assert len({tuple(row) for row in starts.reshape(20, 16)}) > 5  # others in each channel


def test_the_first_of_equal_values_gets_the_gradient() -> None:
    made = harness("kernel_size: [2, 2] output_size: [2, 2]", np.zeros((1, 1, 4, 4)))
    made.forward()
    (dx,) = made.backward([np.array([[[[1.0, 2], [3, 4]]]])])
    np.testing.assert_array_equal(dx[0, 0], [[1, 0, 2, 0], [0] * 4, [3, 0, 4, 0], [0] * 4])


def test_windows_that_overlap_add_their_gradients() -> None:
    x = np.zeros((1, 1, 3))
    x[0, 0, 1] = 5
    made = harness("kernel_size: 2 output_size: 2", x)
    np.testing.assert_array_equal(made.forward()[0][0, 0], [5, 5])
    np.testing.assert_array_equal(made.backward([np.array([[[1.0, 2]]])])[0][0, 0], [0, 3, 0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("output_size: [2, 2]", "needs kernel_size above 0"),
        ("kernel_size: [2, 0] output_size: [2, 2]", "needs kernel_size above 0"),
        ("kernel_size: [2, 2] output_size: 2", "needs 2 of output_size or of output_ratio, got 1"),
        ("kernel_size: [2, 2]", "needs 2 of output_size or of output_ratio, got 0 and 0"),
        ("kernel_size: [2, 2] output_size: [2, 2] output_ratio: [0.5, 0.5]", "got 2 and 2"),
        ("kernel_size: [2, 2] output_ratio: [0.5, 1]", "output_ratio between 0 and 1"),
        ("kernel_size: [2, 2] output_size: [0, 1]", "expected output_size above 0"),
        ("kernel_size: [2, 2] output_size: [5, 5]", "5 windows of 2 do not fit an axis of 5"),
        ("kernel_size: [2, 2] output_ratio: [0.1, 0.5]", "0 windows of 2 do not fit an axis of 5"),
        ("kernel_size: 2 output_size: 2", "expected a bottom of 3 axes, got 2x3x5x6"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(LayerError, match=message):
        harness(text, np.zeros((2, 3, 5, 6)))
