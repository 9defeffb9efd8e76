"""Bilinear resizing against a plain loop, and the properties that OpenCV's has."""

from __future__ import annotations

import math

import numpy as np
import pytest

from protonet.data.resize import RESIZE_MODES, fit, fit_labels, fitted_window, resize


def plainly(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Each pixel by itself, in float64."""
    channels, rows, columns = image.shape
    out = np.empty((channels, height, width))
    for i in range(height):
        for j in range(width):
            y = min(max((i + 0.5) * rows / height - 0.5, 0), rows - 1)
            x = min(max((j + 0.5) * columns / width - 0.5, 0), columns - 1)
            top, left = math.floor(y), math.floor(x)
            bottom, right = min(top + 1, rows - 1), min(left + 1, columns - 1)
            y, x = y - top, x - left
            out[:, i, j] = (1 - y) * ((1 - x) * image[:, top, left] + x * image[:, top, right])
            out[:, i, j] += y * ((1 - x) * image[:, bottom, left] + x * image[:, bottom, right])
    return out


SIZES = [(7, 11), (3, 5), (20, 31), (1, 1), (5, 23), (6, 10), (2, 40)]


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_bytes_are_within_one_of_the_exact_value(height: int, width: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (3, 10, 13), np.uint8)
    found = resize(image, height, width)
    assert (found.dtype, found.shape) == (np.uint8, (3, height, width))
    assert np.abs(found - plainly(image, height, width)).max() <= 1


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_floats(height: int, width: int) -> None:
    image = np.random.default_rng(0).standard_normal((2, 10, 13)).astype(np.float32)
    found = resize(image, height, width)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, plainly(image, height, width), atol=2e-6)


def test_halving_is_the_rounded_mean_of_four() -> None:
    """OpenCV takes another way for this case, which gives the same numbers."""
    image = np.random.default_rng(1).integers(0, 256, (3, 8, 6), np.uint8)
    sums = image.reshape(3, 4, 2, 3, 2).astype(int).sum((2, 4))
    np.testing.assert_array_equal(resize(image, 4, 3), (sums + 2) >> 2)


def test_shrinking_takes_the_neighbours_only() -> None:
    """A white pixel that no centre is near to does not show: Pillow's filter would smear it."""
    image = np.zeros((1, 1, 9), np.uint8)
    image[0, 0, 0] = 255
    np.testing.assert_array_equal(resize(image, 1, 3), np.zeros((1, 1, 3)))
    image = np.zeros((1, 1, 9), np.uint8)
    image[0, 0, 4] = 255
    np.testing.assert_array_equal(resize(image, 1, 3), [[[0, 255, 0]]])


def test_one_colour_stays_as_it_is() -> None:
    image = np.full((3, 5, 7), 255, np.uint8)
    assert (resize(image, 13, 3) == 255).all()


def test_the_size_that_it_has() -> None:
    image = np.zeros((3, 5, 7), np.uint8)
    assert resize(image, 5, 7) is image


@pytest.mark.parametrize(
    ("how", "shape", "corner", "middle"),
    [
        # 4 x 8 to 6 x 6: squash mixes a sixth of the second column in; crop scales by 1.5 to
        # 6 x 12 and cuts 3 columns on each side; fill scales by 0.75 to 3 x 6; half-crop by
        # 1.125 to 4 (or 5) x 9.
        ("squash", (6, 6), 17, 100),
        ("crop", (6, 6), 100, 100),
        ("fill", (6, 6), 127, 100),
        ("half-crop", (6, 6), 127, 100),
    ],
)
def test_ways_to_bring_an_image_to_a_size(
    how: str, shape: tuple[int, int], corner: int, middle: int
) -> None:
    image = np.full((2, 4, 8), 100, np.uint8)
    image[:, :, :1] = 0  # a black stripe on the left
    resize_by_mode = fit(image, *shape, how)
    assert resize_by_mode.shape == (2, *shape)
    assert resize_by_mode.dtype == np.uint8
    assert resize_by_mode[1, 0, 0] == corner
    assert resize_by_mode[1, 3, 3] == middle
    assert (resize_by_mode[0] == resize_by_mode[1]).all()


def test_a_fitted_image_of_the_right_form_is_only_scaled() -> None:
    image = np.random.default_rng(1).integers(0, 255, (3, 5, 10)).astype(np.uint8)
    for how in RESIZE_MODES:
        np.testing.assert_array_equal(fit(image, 10, 20, how), resize(image, 10, 20))


@pytest.mark.parametrize("how", RESIZE_MODES)
@pytest.mark.parametrize("size", [(30, 50), (50, 30), (12, 14)])
def test_the_window_of_a_fitted_image(how: str, size: tuple[int, int]) -> None:
    """A pixel of the image is where the window says that it is."""
    image = np.zeros((1, *size), np.uint8)
    row, column = size[0] // 2, size[1] // 2
    image[0, row : row + 4, column : column + 4] = 255
    fitted = fit(image, 24, 40, how)
    left, top, right, bottom = fitted_window(size, (24, 40), how)
    weights = (fitted[0] > 127) * fitted[0].astype(float)
    rows, columns = np.nonzero(weights)
    centre = (np.average(rows, weights=weights[rows, columns]) + 0.5) / 24
    assert abs(top + centre * (bottom - top) - (row + 2) / size[0]) < 0.02
    centre = (np.average(columns, weights=weights[rows, columns]) + 0.5) / 40
    assert abs(left + centre * (right - left) - (column + 2) / size[1]) < 0.02


def test_labels_are_resized_to_the_nearest_pixel() -> None:
    labels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    np.testing.assert_array_equal(fit_labels(labels, 3, 4), labels)
    np.testing.assert_array_equal(fit_labels(labels, 6, 8), labels.repeat(2, 0).repeat(2, 1))
    # The centres of the new pixels lie in rows 0 and 2, and in columns 0, 2 and 3.
    np.testing.assert_array_equal(fit_labels(labels, 2, 3), labels[[0, 2]][:, [0, 2, 3]])
    np.testing.assert_array_equal(fit_labels(labels, 2, 2, "crop"), [[0, 2], [8, 10]])
    filled = fit_labels(labels, 4, 4, "fill", 99)
    np.testing.assert_array_equal(filled, [*labels, [99] * 4])


@pytest.mark.parametrize("how", RESIZE_MODES)
def test_labels_stay_with_their_images(how: str) -> None:
    """The border between two classes is where the border between two colours is."""
    labels = np.zeros((20, 30), np.uint8)
    labels[6:, 11:] = 1
    image = np.where(labels, 255, 0).astype(np.uint8)[None]
    shown = fit(image, 16, 18, how)[0]
    found = fit_labels(labels, 16, 18, how, 9)
    np.testing.assert_array_equal((shown >= 128)[found < 9], (found == 1)[found < 9])
