"""The five ways of resizing: known values, and plain loops for those with weights."""

from __future__ import annotations

import math

import numpy as np
import pytest

from protonet.data.interpolation import Interpolation, resample
from protonet.data.resize import resize

IMAGE = np.random.default_rng(0).integers(0, 256, (3, 10, 13), np.uint8)


def test_nearest_takes_the_pixel_whose_first_corner_it_is() -> None:
    row = np.arange(10, dtype=np.uint8)[None, None]
    found = resample(row, 1, 4, Interpolation.NEAREST)
    np.testing.assert_array_equal(found[0, 0], [0, 2, 5, 7])
    np.testing.assert_array_equal(
        resample(row[..., :3], 1, 7, Interpolation.NEAREST)[0, 0], [0, 0, 0, 1, 1, 2, 2]
    )


def test_linear_is_resize() -> None:
    found = resample(IMAGE, 7, 20, Interpolation.LINEAR)
    np.testing.assert_array_equal(found, resize(IMAGE, 7, 20))


def test_area_is_the_mean_of_what_is_covered() -> None:
    row = np.array([[[0, 30, 60, 90, 120]]], np.uint8)
    # 5 pixels become 2: each covers two and a half.
    found = resample(row, 1, 2, Interpolation.AREA)
    np.testing.assert_array_equal(found[0, 0], [round((0 + 30 + 30) / 2.5), round(240 / 2.5)])
    halves = resample(IMAGE[:, :, :12], 5, 6, Interpolation.AREA)
    sums = IMAGE[:, :, :12].reshape(3, 5, 2, 6, 2).astype(int).sum(axis=(2, 4))
    np.testing.assert_array_equal(halves, (sums + 2) // 4)


def test_area_copies_pixels_where_it_enlarges_by_a_whole_number() -> None:
    found = resample(IMAGE, 20, 39, Interpolation.AREA)
    np.testing.assert_array_equal(found, IMAGE.repeat(2, axis=1).repeat(3, axis=2))


def cubic(t: float) -> float:
    t, a = abs(t), -0.75
    if t <= 1:
        return (a + 2) * t**3 - (a + 3) * t**2 + 1
    return a * (t**3 - 5 * t**2 + 8 * t - 4) if t < 2 else 0.0


def lanczos(t: float) -> float:
    return float(np.sinc(t) * np.sinc(t / 4)) if abs(t) < 4 else 0.0


@pytest.mark.parametrize(
    ("how", "kernel", "half"),
    [(Interpolation.CUBIC, cubic, 2), (Interpolation.LANCZOS4, lanczos, 4)],
)
@pytest.mark.parametrize("size", [(7, 11), (20, 31)])
def test_kernels_against_a_plain_loop(
    how: Interpolation,
    kernel: object,
    half: int,
    size: tuple[int, int],
) -> None:
    assert callable(kernel)
    image = IMAGE.astype(np.float32)
    expected = np.empty((3, *size))
    for i, j in np.ndindex(*size):
        y, x = (i + 0.5) * 10 / size[0] - 0.5, (j + 0.5) * 13 / size[1] - 0.5
        total = weight = 0.0
        for m in range(math.floor(y) - half + 1, math.floor(y) + half + 1):
            for n in range(math.floor(x) - half + 1, math.floor(x) + half + 1):
                w = kernel(y - m) * kernel(x - n)
                total = total + w * image[:, min(max(m, 0), 9), min(max(n, 0), 12)]
                weight += w
        expected[:, i, j] = total / weight
    np.testing.assert_allclose(resample(image, *size, how), expected, atol=2e-3)
    found = resample(IMAGE, *size, how)
    assert found.dtype == np.uint8
    assert np.abs(found - expected.clip(0, 255)).max() <= 1.01


@pytest.mark.parametrize("how", list(Interpolation))
def test_a_constant_stays_and_the_same_size_is_the_image(how: Interpolation) -> None:
    flat = np.full((1, 6, 9), 77, np.uint8)
    for size in ((3, 4), (11, 20), (2, 30)):
        assert (resample(flat, *size, how) == 77).all()
    assert resample(IMAGE, 10, 13, how) is IMAGE
