"""DepthToSpace, SpaceToBatchND and BatchToSpaceND."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness


def run(text: str, x: np.ndarray) -> np.ndarray:
    (top,) = LayerHarness(text, [x]).forward()
    return top


@pytest.mark.parametrize("form", ["NCHW", "DCR", "CRD", "NHWC"])
def test_channels_become_squares(form: str) -> None:
    """Two channels of squares of 3 x 3, by a loop."""
    x = np.arange(2 * 18 * 4 * 5.0).reshape(2, 18, 4, 5)
    text = f'type: "DepthToSpace" depth_to_space_param {{ block_size: 3 data_format: "{form}" }}'
    given = x.transpose(0, 2, 3, 1) if form == "NHWC" else x
    found = run(text, given)
    found = found.transpose(0, 3, 1, 2) if form == "NHWC" else found
    assert found.shape == (2, 2, 12, 15)
    for n, c, row, column in np.ndindex(*found.shape):
        (i, p), (j, q) = divmod(row, 3), divmod(column, 3)
        channel = (c * 3 + p) * 3 + q if form == "CRD" else (p * 3 + q) * 2 + c
        assert found[n, c, row, column] == x[n, channel, i, j]


@pytest.mark.parametrize(
    ("fields", "shape", "message"),
    [
        ("", (2, 8, 3, 5), "expected block_size of 1 or more, got 0"),
        ("block_size: -1", (2, 8, 3, 5), "expected block_size of 1 or more, got -1"),
        ("block_size: 2 data_format: 'HWC'", (2, 8, 3, 5), "unknown data_format 'HWC'; there are"),
        ("block_size: 2 data_format: 'CRD'", (2, 6, 3, 5), "N x C x H x W with C a multiple of 4"),
        ("block_size: 2", (2, 8, 3, 5), "expected N x H x W x C with C a multiple of 4"),
        ("block_size: 2", (2, 8, 4), "got 'x0' 2x8x4"),
    ],
)
def test_squares_that_cannot_be(fields: str, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(LayerError, match=message):
        run(f'type: "DepthToSpace" depth_to_space_param {{ {fields} }}', np.zeros(shape))


SHARED = (
    'type: "SpaceToBatchND" space_to_batch_nd_param { block_shape: [2, 3] paddings: [1, 0, 2, 2] }'
)
JOINED = (
    'type: "BatchToSpaceND" batch_to_space_nd_param { block_shape: [2, 3] crops: [1, 0, 2, 2] }'
)


def test_pixels_become_items_and_come_back() -> None:
    """3 rows with one of zeros before, 5 columns with two on each side; 2 x 3 places."""
    x = np.arange(1, 2 * 3 * 5 * 4 + 1.0).reshape(2, 3, 5, 4)
    padded = np.pad(x, [(0, 0), (1, 0), (2, 2), (0, 0)])
    found = run(SHARED, x)
    assert found.shape == (12, 2, 3, 4)
    for p, q, n in np.ndindex(2, 3, 2):
        np.testing.assert_array_equal(found[(p * 3 + q) * 2 + n], padded[n, p::2, q::3])
    np.testing.assert_array_equal(run(JOINED, found), x)


@pytest.mark.parametrize(
    ("text", "shape", "message"),
    [
        (SHARED.replace("block_shape: [2, 3]", ""), (2, 3, 5), "of numbers above 0, got none"),
        (SHARED.replace("[2, 3]", "[2, 0]"), (2, 3, 5), r"of numbers above 0, got \[2, 0\]"),
        (SHARED.replace(", 2, 2]", "]"), (2, 3, 5), "expected two paddings for each of 2"),
        (SHARED, (2, 3), "expected 3 axes or more for 2 block_shape, got 'x0' 2x3"),
        (SHARED, (2, 3, 6), "expected axis 2 with its paddings, 10, to be a multiple of"),
        (JOINED, (7, 3, 5), "expected a multiple of 6 items in 'x0', got 7x3x5"),
        (JOINED, (6, 3, 1), "crops of 4 leave nothing of 3 pixels along axis 2"),
    ],
)
def test_items_that_cannot_be(text: str, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(LayerError, match=message):
        run(text, np.zeros(shape))
