"""Planes and volumes of another size beside the formulas."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError, NetworkError
from protonet.torch7.objects import Table
from tests.torch7.modules.windows import forward, random
from tests.torch7.trees import nn


def mix(x: np.ndarray, axis: int, out: int) -> np.ndarray:
    """Interpolate along an axis, with aligned corners."""
    extent = x.shape[axis]
    places = np.arange(out) * (extent - 1) / max(out - 1, 1)
    moved = np.moveaxis(x, axis, -1)
    mixed = np.apply_along_axis(lambda row: np.interp(places, np.arange(extent), row), -1, moved)
    return np.moveaxis(mixed, -1, axis)


def test_nearest_values() -> None:
    x = random(2, 3, 4, 5)
    expected = x.repeat(3, axis=2).repeat(3, axis=3)
    for made in (nn("SpatialUpSamplingNearest", 3), nn("UpSampling", 3)):
        np.testing.assert_array_equal(forward(made, x), expected)
    y = forward(nn("SpatialUpSamplingNearest", 3), x[0])
    np.testing.assert_array_equal(y, expected[0])
    volume = random(2, 3, 2, 4, 5)
    expected = volume.repeat(2, axis=2).repeat(2, axis=3).repeat(2, axis=4)
    np.testing.assert_array_equal(forward(nn("UpSampling", 2), volume), expected)


def test_interpolated_planes() -> None:
    x = random(2, 3, 4, 5)
    double = mix(mix(x, 2, 8), 3, 10)
    for made in (nn("SpatialUpSamplingBilinear", 2), nn("UpSampling", 2, "linear")):
        np.testing.assert_allclose(forward(made, x), double, rtol=1e-4, atol=1e-5)
    size = Table({"oheight": 7, "owidth": 3})
    y = forward(nn("SpatialUpSamplingBilinear", size), x[0])
    np.testing.assert_allclose(y, mix(mix(x, 2, 7), 3, 3)[0], rtol=1e-4, atol=1e-5)


def test_interpolated_volumes() -> None:
    x = random(2, 3, 4, 2, 5)
    size = Table({"odepth": 6, "oheight": 3, "owidth": 9})
    expected = mix(mix(mix(x, 2, 6), 3, 3), 4, 9)
    y = forward(nn("UpSampling", size, "trilinear"), x)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)


def test_channels_become_blocks_of_places() -> None:
    x = random(2, 12, 3, 5)
    y = forward(nn("PixelShuffle", 2), x)
    assert y.shape == (2, 3, 6, 10)
    for c, i, j in np.ndindex(3, 2, 2):
        np.testing.assert_array_equal(y[:, c, i::2, j::2], x[:, 4 * c + 2 * i + j])
    np.testing.assert_array_equal(forward(nn("PixelShuffle", 2), x[0]), y[0])
    np.testing.assert_array_equal(forward(nn("PixelShuffle", 1), x), x)


def test_what_is_refused() -> None:
    with pytest.raises(LayerError, match="scale_factor must be a whole number of 1 or more"):
        nn("SpatialUpSamplingNearest", 1.5)
    with pytest.raises(LayerError, match="nearest values need a scale_factor"):
        nn("UpSampling", Table())
    with pytest.raises(LayerError, match="oheight must be a whole number of 1 or more, got nil"):
        nn("UpSampling", Table({"owidth": 4}), "linear")
    with pytest.raises(NetworkError, match="expected an input of 4 or 5 axes, got 3x4x5"):
        forward(nn("UpSampling", 2), random(3, 4, 5))
    sized = nn("UpSampling", Table({"oheight": 3, "owidth": 9}), "linear")
    with pytest.raises(NetworkError, match="odepth must be a whole number, got None"):
        forward(sized, random(1, 1, 3, 4, 5))
