"""Poolings of volumes: windows, padding and values that are apart."""

from __future__ import annotations

import numpy as np

from protonet.torch7.modules.base import Session, create
from tests.torch7.modules.windows import forward, random
from tests.torch7.trees import Draws, nn, sequential


def test_volumes() -> None:
    x = random(2, 3, 4, 6, 5)
    blocks = x[..., :4].reshape(2, 3, 2, 2, 2, 3, 2, 2)
    top = forward(nn("VolumetricMaxPooling", 2, 2, 3), x)
    np.testing.assert_array_equal(top, blocks.max(axis=(3, 5, 7)))
    made = nn("VolumetricAveragePooling", 2, 2, 3)
    assert "ceil_mode" not in made.fields
    means = forward(made, x)
    np.testing.assert_allclose(means, blocks.mean(axis=(3, 5, 7)), rtol=1e-4, atol=1e-6)
    padded = create("cudnn.VolumetricAveragePooling", [2, 2, 2, 2, 2, 2, 1], Session(Draws()))
    assert forward(padded, x).shape == (2, 3, 3, 3, 2)


def test_the_stride_is_the_kernel_by_default() -> None:
    assert nn("VolumetricMaxPooling", 4, 2, 3).fields["dT"] == 4


def test_the_greatest_of_values_that_are_apart() -> None:
    x = random(2, 3, 5, 3, 6)
    y = forward(nn("VolumetricDilatedMaxPooling", 2, 2, 1, 1, 3, 1, 0, 0, 0, 3, 2, 1), x)
    first, second = x[:, :, :2], x[:, :, 3:]
    both = np.maximum(first, second)
    np.testing.assert_array_equal(y, np.maximum(both[..., :4:3], both[..., 2:6:3]))


def test_maxima_go_back_to_where_they_were() -> None:
    pool = nn("VolumetricMaxPooling", 2, 2, 3)
    model = sequential(pool, nn("VolumetricMaxUnpooling", pool))
    x = random(2, 3, 4, 6, 5)
    blocks = x[..., :4].reshape(2, 3, 2, 2, 2, 3, 2, 2)
    expected = np.zeros_like(x)
    kept = blocks * (blocks == blocks.max(axis=(3, 5, 7), keepdims=True))
    expected[..., :4] = kept.reshape(2, 3, 4, 6, 4)
    np.testing.assert_array_equal(forward(model, x), expected)
    np.testing.assert_array_equal(forward(model, x[1]), expected[1])
