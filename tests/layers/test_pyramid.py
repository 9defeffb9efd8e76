"""Spatial pyramid pooling: sizes and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness


def harness(text: str, shape: tuple[int, ...]) -> LayerHarness:
    x = np.random.default_rng(0).standard_normal(shape)
    return LayerHarness(f'type: "SPP" spp_param {{ {text} }}', [x])


@pytest.mark.parametrize("shape", [(2, 3, 9, 11), (2, 3, 8, 8), (2, 3, 17, 6)])
def test_images_of_any_size_give_one_size(shape: tuple[int, ...]) -> None:
    assert harness("pyramid_height: 3", shape).tops[0].shape == (2, 3 * (1 + 4 + 16))


def test_the_first_level_is_the_maximum_of_the_image() -> None:
    run = harness("pyramid_height: 2", (2, 3, 9, 11))
    run.forward()
    np.testing.assert_array_equal(run.tops[0][:, :3], run.bottoms[0].max(axis=(2, 3)))


@pytest.mark.parametrize(
    ("text", "shape", "message"),
    [
        ("", (2, 3, 9, 11), "needs a pyramid_height above 0"),
        ("pyramid_height: 2", (2, 3, 9), "expected a bottom of 4 axes"),
        ("pyramid_height: 4", (2, 3, 5, 5), "too small for level 2 .* a grid of 4x4"),
    ],
)
def test_what_is_refused(text: str, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(LayerError, match=message):
        harness(text, shape)
