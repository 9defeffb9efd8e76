"""Unpooling."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness

X = np.arange(1.0, 7).reshape(1, 1, 2, 3)
MASK = np.array([0, 3, 5, 14, 9, 17.0]).reshape(X.shape)
P = "unpooling_param"


def harness(fields: str, *bottoms: np.ndarray) -> LayerHarness:
    return LayerHarness(f'type: "Unpooling" {P} {{ {fields} }}', bottoms or (X,))


def both(fields: str, *bottoms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The top, and the gradient of x for dy = 0, 1, 2, ..."""
    run = harness(fields, *bottoms)
    (y,) = run.forward()
    dx = run.backward([np.arange(float(y.size)).reshape(y.shape)])[0]
    assert dx is not None
    return y[0, 0], dx[0, 0]


def test_values_go_where_the_mask_says() -> None:
    y, dx = both("kernel_size: 2 stride: 2 unpool_h: 3 unpool_w: 6", X, MASK)
    assert y.tolist() == [[1, 0, 0, 2, 0, 3], [0, 0, 0, 5, 0, 0], [0, 0, 4, 0, 0, 6]]
    assert dx.tolist() == [[0, 3, 5], [14, 9, 17]]


def test_without_a_mask_they_begin_their_windows() -> None:
    y, dx = both("kernel_size: 2 stride: 2 unpool_h: 3 unpool_w: 6")
    assert y.tolist() == [[1, 0, 2, 0, 3, 0], [0] * 6, [4, 0, 5, 0, 6, 0]]
    assert dx.tolist() == [[0, 2, 4], [12, 14, 16]]


def test_a_window_that_begins_outside_is_moved_to_the_border() -> None:
    """As in the fork, which says nothing of it."""
    y, _ = both("kernel_size: 2 stride: 3 unpool_h: 3 unpool_w: 6")
    assert y.tolist() == [[1, 0, 0, 2, 0, 3], [0] * 6, [4, 0, 0, 5, 0, 6]]


def test_values_are_spread_over_windows_that_may_overlap_and_end_early() -> None:
    y, dx = both("unpool: AVE kernel_size: 2 stride: 1 unpool_h: 2 unpool_w: 4")
    np.testing.assert_allclose(y, [[0.25, 0.75, 1.25, 0.75], [2.25, 5.25, 6.75, 3.75]], rtol=1e-6)
    np.testing.assert_allclose(dx, [[2.5, 3.5, 4.5], [4.5, 5.5, 6.5]], rtol=1e-6)


def test_values_are_repeated_over_windows() -> None:
    y, dx = both("unpool: TILE kernel_h: 1 kernel_w: 2 stride_h: 1 stride_w: 2 unpool_h: 2 "
                 "unpool_w: 5")  # fmt: skip
    assert y.tolist() == [[1, 1, 2, 2, 3], [4, 4, 5, 5, 6]]
    assert dx.tolist() == [[1, 5, 4], [11, 15, 9]]


@pytest.mark.parametrize(
    ("fields", "message", "path"),
    [
        ("kernel_size: 2", "unpooling_param needs unpool_size above 0", (P, "unpool_size")),
        ("unpool_size: 6", "unpooling_param needs kernel_size above 0", (P, "kernel_size")),
        (
            "kernel_size: 2 unpool_size: 6 stride: 0",
            "unpooling_param needs stride above 0",
            (P, "stride"),
        ),
        (
            "kernel_size: 2 unpool_size: 6 unpool_w: 6",
            "unpool_size and unpool_w are both given; give one of the two forms",
            (P, "unpool_w"),
        ),
        ("kernel_h: 2 unpool_size: 6", "kernel_h needs kernel_w as well", (P, "kernel_h")),
        ("kernel_size: 2 unpool_size: 6 pad: 1", "Unpooling takes no pad", (P, "pad")),
        (
            "unpool: AVE kernel_size: 2 stride: 3 unpool_size: 6",
            "the last window begins at 3x6, outside of planes of 6x6",
            (P, "unpool_size"),
        ),
    ],
)
def test_mistakes(fields: str, message: str, path: tuple[str, ...]) -> None:
    with pytest.raises(LayerError) as caught:
        harness(fields)
    assert (str(caught.value), caught.value.path) == (message, path)


def test_masks_that_do_not_fit() -> None:
    fields = "kernel_size: 2 stride: 2 unpool_size: 4"
    with pytest.raises(LayerError, match="expected a mask of the shape of 'x0', 1x1x2x3, got"):
        harness(fields, X, np.zeros((1, 1, 3, 2)))
    with pytest.raises(LayerError, match="only MAX reads a second bottom, the mask"):
        harness(f"{fields} unpool: TILE", X, MASK)
    with pytest.raises(LayerError, match="index 17 in 'x1' is not one of 0 to 15") as caught:
        harness(fields, X, MASK).forward()
    assert caught.value.hint == "the top must have the size of the pooled blob: see unpool_size"
