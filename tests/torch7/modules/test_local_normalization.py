"""Subtractive, divisive and contrastive normalization beside the formulas."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError, NetworkError
from protonet.torch7.api import TorchModule
from protonet.torch7.modules.base import Session, create
from protonet.torch7.objects import Tensor
from tests.torch7.modules.windows import forward, random
from tests.torch7.trees import Draws, nn

KERNEL = np.random.default_rng(4).uniform(0.2, 1, (5, 3)).astype(np.float32)
ROW = np.array([0.2, 1.0, 0.4, 0.3, 0.7], np.float32)


def weighted(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Means over all planes and the kernel's places inside of the image: N x 1 x H x W."""
    rows, columns = kernel.shape
    height, width = x.shape[2:]
    sums, share = np.zeros((len(x), height, width)), np.zeros((height, width))
    for r, c in np.ndindex(rows, columns):
        for i, j in np.ndindex(height, width):
            a, b = i + r - rows // 2, j + c - columns // 2
            if 0 <= a < height and 0 <= b < width:
                sums[:, i, j] += kernel[r, c] * x[:, :, a, b].mean(axis=1)
                share[i, j] += kernel[r, c]
    return (sums / share)[:, None]


@pytest.mark.parametrize("kernel", [KERNEL, ROW])
def test_means_around_each_place_are_subtracted(kernel: np.ndarray) -> None:
    made, x = nn("SpatialSubtractiveNormalization", 3, Tensor.of(kernel)), random(2, 3, 6, 7)
    whole = kernel if kernel.ndim == 2 else np.outer(kernel, kernel)
    expected = x - weighted(x, whole)
    np.testing.assert_allclose(forward(made, x), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(forward(made, x[0]), expected[0], rtol=1e-4, atol=1e-5)
    assert TorchModule(made, [x.shape]).parameters() == []


def test_deviations_around_each_place_divide() -> None:
    made = nn("SpatialDivisiveNormalization", 3, Tensor.of(KERNEL), 0.9)
    x = random(2, 3, 6, 7)
    share = weighted(np.ones_like(x), KERNEL / KERNEL.sum())
    np.testing.assert_allclose(share, 1)  # the same kernel normalizes both
    covered = _coverage(x.shape[2:], KERNEL)
    deviation = np.sqrt(weighted(x**2, KERNEL) * covered) / covered
    expected = x / np.where(deviation > 0.9, deviation, 0.9)
    np.testing.assert_allclose(forward(made, x), expected, rtol=1e-4, atol=1e-5)


def _coverage(size: tuple[int, ...], kernel: np.ndarray) -> np.ndarray:
    """The part of the kernel that meets the image, at each place."""
    (rows, columns), covered = kernel.shape, np.zeros(size)
    for r, c in np.ndindex(rows, columns):
        for i, j in np.ndindex(*size):
            a, b = i + r - rows // 2, j + c - columns // 2
            covered[i, j] += kernel[r, c] * (0 <= a < size[0] and 0 <= b < size[1])
    return covered / kernel.sum()


def test_small_deviations_get_another_value() -> None:
    x, kernel = random(1, 2, 5, 6), Tensor.of(KERNEL)
    made = nn("SpatialDivisiveNormalization", 2, kernel, 0.9, 3)
    covered = _coverage(x.shape[2:], KERNEL)
    deviation = np.sqrt(weighted(x**2, KERNEL) * covered) / covered
    expected = x / np.where(deviation > 0.9, deviation, 3)
    np.testing.assert_allclose(forward(made, x), expected, rtol=1e-4, atol=1e-5)


def test_an_image_of_zeros_has_no_gradient_that_is_not_a_number() -> None:
    model = TorchModule(nn("SpatialContrastiveNormalization", 2), [(1, 2, 5, 5)])
    x = np.zeros((1, 2, 5, 5), np.float32)
    np.testing.assert_array_equal(model.forward(x), x)
    (dx,) = model.backward(np.ones_like(x))
    assert np.isfinite(dx).all()


def test_contrastive_is_one_after_the_other() -> None:
    x, kernel = random(2, 3, 6, 7), Tensor.of(KERNEL)
    made = nn("SpatialContrastiveNormalization", 3, kernel, 0.5)
    np.testing.assert_allclose(kernel.array.sum(), 1 / 3, rtol=1e-5)  # divided in its place
    first = forward(nn("SpatialSubtractiveNormalization", 3, Tensor.of(KERNEL)), x)
    expected = forward(nn("SpatialDivisiveNormalization", 3, Tensor.of(KERNEL), 0.5), first)
    np.testing.assert_allclose(forward(made, x), expected, rtol=1e-4, atol=1e-5)


def test_the_convolutions_inside_draw_numbers_as_in_torch7() -> None:
    draws = Draws()
    create("nn.SpatialSubtractiveNormalization", [2, Tensor.of(KERNEL)], Session(draws))
    assert len(draws.asked) == 2
    create("nn.SpatialSubtractiveNormalization", [2, Tensor.of(ROW)], Session(draws))
    assert len(draws.asked) == 2 + 4 + 2  # kernels and biases of the table, and a convolution


def test_what_is_refused() -> None:
    with pytest.raises(LayerError, match=r"kernel must have one or two axes of odd .* got 4x3"):
        nn("SpatialSubtractiveNormalization", 1, Tensor.of(np.ones((4, 3))))
    with pytest.raises(LayerError, match=r"kernel must have one or two axes of odd .* got 3"):
        nn("SpatialDivisiveNormalization", 1, 3)
    with pytest.raises(NetworkError, match="expected 3 input planes, got 1x2x5x5"):
        forward(nn("SpatialSubtractiveNormalization", 3), random(1, 2, 5, 5))
