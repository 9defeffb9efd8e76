"""DetectionOutput with maps of its own for each level."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness

RNG = np.random.default_rng(4)
GRIDS = [(2, 3, 2), (1, 2, 3)]
"""Rows, columns and priors at a cell of two levels: 12 and 6 priors."""
SCORES = [RNG.uniform(0, 1, (2, 3, a, h * w)) for h, w, a in GRIDS]
OFFSETS = [RNG.standard_normal((2, a * 4, h, w)) for h, w, a in GRIDS]
STARTS = RNG.uniform(0, 0.6, (18, 2))
PRIORS = np.stack([np.concatenate([STARTS, STARTS + 0.3], 1), np.full((18, 4), 0.1)])
FIELDS = "num_classes: 3 code_type: CENTER_SIZE confidence_threshold: 0.2 keep_top_k: 9"


def test_maps_are_found_as_joined_predictions() -> None:
    """The joined ones by a loop: the priors of a cell side by side, cells by row."""
    loc, conf = np.empty((2, 18, 4)), np.empty((2, 18, 3))
    place = 0
    for (height, width, count), scores, offsets in zip(GRIDS, SCORES, OFFSETS, strict=True):
        for row, column, prior in np.ndindex(height, width, count):
            conf[:, place] = scores[:, :, prior, row * width + column]
            loc[:, place] = offsets[:, 4 * prior : 4 * prior + 4, row, column]
            place += 1
    joined = LayerHarness(
        f'type: "DetectionOutput" detection_output_param {{ {FIELDS} }}',
        [loc.reshape(2, -1), conf.reshape(2, -1), PRIORS.reshape(1, 2, -1)],
    )
    maps = LayerHarness(
        'type: "DetectionOutput" detection_output_param '
        f"{{ {FIELDS} no_permute: true nbottom: 2 }}",
        [*SCORES, *OFFSETS, PRIORS.reshape(1, 2, -1)],
    )
    (expected,), (found,) = joined.forward(), maps.forward()
    assert expected.shape[2] > 8
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("fields", "bottoms", "message"),
    [
        ("", [*SCORES, *OFFSETS, PRIORS], "expected 3 or 4 bottoms, got 5"),
        ("no_permute: true", [*SCORES, *OFFSETS, PRIORS], "expected 13 bottoms for nbottom 6"),
        ("no_permute: true nbottom: 2 share_location: false", [*SCORES, *OFFSETS, PRIORS],
         "no_permute needs share_location: true"),
        ("no_permute: true nbottom: 2", [*SCORES[::-1], *OFFSETS, PRIORS],
         r"scores N x 3 x A x \(H W\) in 'x0' and offsets N x \(A 4\) x H x W in 'x2'"),
        ("no_permute: true nbottom: 2", [*SCORES, *OFFSETS, PRIORS[:, :17]],
         "expected boxes and variances of 18 priors, 1 x 2 x 72, in 'x4', got 1x2x68"),
    ],
)  # fmt: skip
def test_maps_that_cannot_be(fields: str, bottoms: list[np.ndarray], message: str) -> None:
    arrays = [*bottoms[:-1], bottoms[-1].reshape(1, 2, -1)]
    with pytest.raises(LayerError, match=message):
        LayerHarness(
            f'type: "DetectionOutput" detection_output_param {{ num_classes: 3 {fields} }}', arrays
        )
