"""Poolings: rounding, padding, means, and the inverse."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError, NetworkError
from protonet.torch7.modules.base import Session, create
from tests.torch7.modules.windows import forward, random
from tests.torch7.trees import Draws, call, nn, sequential


def test_windows_are_rounded_down_unless_ceil_is_called() -> None:
    x = random(2, 3, 8, 7)
    pool = nn("SpatialMaxPooling", 3, 3, 2, 2)
    down = forward(pool, x)
    assert down.shape == (2, 3, 3, 3)
    assert call(pool, "ceil") is pool
    up = forward(pool, x)
    assert up.shape == (2, 3, 4, 3)
    np.testing.assert_array_equal(up[:, :, 3], np.stack([
        x[:, :, 6:, 2 * j : 2 * j + 3].max(axis=(2, 3)) for j in range(3)
    ], axis=-1))  # fmt: skip
    call(pool, "floor")
    np.testing.assert_array_equal(forward(pool, x), down)


def test_the_stride_is_the_kernel_by_default_but_for_means_of_nn() -> None:
    assert nn("SpatialMaxPooling", 2, 3).fields["dH"] == 3
    assert nn("SpatialAveragePooling", 2, 3).fields["dH"] == 1
    session = Session(Draws())
    assert create("cudnn.SpatialAveragePooling", [2, 3], session).fields["dH"] == 3


def test_means_count_padding_or_not() -> None:
    x = np.ones((1, 2, 4, 4), np.float32)
    pool = nn("SpatialAveragePooling", 2, 2, 2, 2, 1, 1)
    counted = forward(pool, x)[0, 0]
    np.testing.assert_allclose(counted, np.outer([0.5, 1, 0.5], [0.5, 1, 0.5]))
    assert call(pool, "setCountExcludePad") is pool
    np.testing.assert_allclose(forward(pool, x)[0, 0], np.ones((3, 3)))
    call(pool, "setCountIncludePad")
    pool.fields["divide"] = False
    np.testing.assert_allclose(forward(pool, x)[0, 0], 4 * counted)


def test_a_pad_is_at_most_half_of_the_kernel() -> None:
    with pytest.raises(NetworkError, match="padW must be at most half of the kernel, 3, got 2"):
        forward(nn("SpatialMaxPooling", 3, 3, 1, 1, 2, 1), random(1, 1, 5, 5))


def test_maxima_go_back_to_where_they_were() -> None:
    pool = nn("SpatialMaxPooling", 2, 2)
    model = sequential(pool, nn("MulConstant", 3), nn("SpatialMaxUnpooling", pool))
    x = random(2, 3, 4, 7)
    y = forward(model, x)
    blocks = x[..., :6].reshape(2, 3, 2, 2, 3, 2)
    greatest = blocks == blocks.max(axis=(3, 5), keepdims=True)
    expected = np.zeros_like(x)
    expected[..., :6] = (3 * blocks * greatest).reshape(2, 3, 4, 6)
    np.testing.assert_allclose(y, expected, rtol=1e-6)
    np.testing.assert_allclose(forward(model, x[0]), expected[0], rtol=1e-6)


def test_unpoolings_that_are_refused() -> None:
    with pytest.raises(LayerError, match=r"must be an nn.SpatialMaxPooling, got nn.MulConstant"):
        nn("SpatialMaxUnpooling", nn("MulConstant", 2))
    with pytest.raises(LayerError, match="the pooling's stride must be its kernel's extent"):
        nn("SpatialMaxUnpooling", nn("SpatialMaxPooling", 3, 3, 2, 2))
    pool = nn("SpatialMaxPooling", 2, 2)
    with pytest.raises(NetworkError, match="SpatialMaxPooling must be in front of it"):
        forward(nn("SpatialMaxUnpooling", pool), random(1, 2, 3, 3))
    model = sequential(pool, nn("SpatialMaxPooling", 2, 2), nn("SpatialMaxUnpooling", pool))
    with pytest.raises(NetworkError, match="expected an input as the pooling's output, 1x2x4x4"):
        forward(model, random(1, 2, 8, 8))


def test_windows_by_the_size_of_the_output() -> None:
    x = random(2, 3, 7, 8)
    for name, reduce in (("Max", np.max), ("Average", np.mean)):
        made = nn(f"SpatialAdaptive{name}Pooling", 3, 2)
        y = forward(made, x)
        assert y.shape == (2, 3, 2, 3)
        expected = reduce(x[:, :, 3:7, 2:6], axis=(2, 3))
        np.testing.assert_allclose(y[:, :, 1, 1], expected, rtol=1e-5)
        np.testing.assert_allclose(forward(made, x[0]), y[0], rtol=1e-5)


def test_the_greatest_of_values_that_are_apart() -> None:
    x = random(2, 3, 7, 8)
    y = forward(nn("SpatialDilatedMaxPooling", 2, 3, 2, 1, 0, 0, 3, 2), x)
    expected = [[x[:, :, i : i + 5 : 2, j : j + 4 : 3] for j in (0, 2, 4)] for i in range(3)]
    reduced = np.max(np.array(expected), axis=(4, 5))
    np.testing.assert_array_equal(y, np.moveaxis(reduced, (0, 1), (2, 3)))


@pytest.mark.parametrize("power", [3, 1.5, 2])
def test_roots_of_sums_of_powers(power: float) -> None:
    x = np.abs(random(2, 3, 4, 6)) + 0.1
    y = forward(nn("SpatialLPPooling", 3, power, 3, 2), x)
    sums = (x**power).reshape(2, 3, 2, 2, 2, 3).sum(axis=(3, 5))
    np.testing.assert_allclose(y, sums ** (1 / power), rtol=1e-4)


def test_poolings_of_cudnn_have_no_other_fields() -> None:
    """A file of such a module has neither ``divide`` nor ``indices``."""
    x, session = random(2, 3, 6, 4), Session(Draws())
    mean = create("cudnn.SpatialAveragePooling", [2, 3], session)
    assert not {"divide", "count_include_pad"} & set(mean.fields)
    blocks = x.reshape(2, 3, 2, 3, 2, 2)
    np.testing.assert_allclose(forward(mean, x), blocks.mean(axis=(3, 5)), rtol=1e-4, atol=1e-6)
    most = create("cudnn.SpatialMaxPooling", [2, 3], session)
    assert "indices" not in most.fields
    np.testing.assert_array_equal(forward(most, x), blocks.max(axis=(3, 5)))
