"""Cutting windows: places worked out by hand, and what comes out of them."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.data.cropper import Box, CropRegion, WindowCropper
from protonet.data.resize import resize

IMAGE = np.random.default_rng(0).integers(1, 256, (3, 20, 30), np.uint8)


@pytest.mark.parametrize(
    ("cropper", "box", "expected"),
    [
        # As it is.
        (WindowCropper(8), (2, 3, 11, 6), CropRegion(slice(3, 7), slice(2, 12), 8, 8)),
        (WindowCropper(8), (0, 0, 29, 19), CropRegion(slice(0, 20), slice(0, 30), 8, 8)),
        # 4 wide and high around (12, 10), a quarter of the crop on each side: twice as large,
        # and one pixel more, since both ends count.
        (WindowCropper(8, 2), (10, 8, 13, 11), CropRegion(slice(6, 15), slice(8, 17), 8, 8)),
        # The shorter side grows to the longer one: half 4 around (12, 9).
        (
            WindowCropper(9, square=True),
            (8, 8, 15, 9),
            CropRegion(slice(5, 14), slice(8, 17), 9, 9),
        ),
        # Centre (2, 2), half 4: columns and rows -2 to 6, of which 7 of 9 are inside.
        (
            WindowCropper(9, square=True),
            (-2, -2, 5, 5),
            CropRegion(slice(0, 7), slice(0, 7), 7, 7, 2, 2, 0),
        ),
        # Centre (28, 18), half 4: columns 24 to 32 and rows 14 to 22; 6 of 9 are inside.
        (
            WindowCropper(9, square=True),
            (24, 14, 31, 21),
            CropRegion(slice(14, 20), slice(24, 30), 6, 6, 0, 0, 3),
        ),
        # Halves go away from zero: centre 1.5, half 1.5 * 4/2 = 3: -1.5 is -2, 4.5 is 5.
        (WindowCropper(4, 1), (0, 10, 2, 12), CropRegion(slice(9, 16), slice(0, 6), 4, 3, 0, 1, 0)),
    ],
)
def test_where_a_window_is_and_goes(cropper: WindowCropper, box: Box, expected: CropRegion) -> None:
    assert cropper.region(box, 20, 30) == expected


@pytest.mark.parametrize(
    ("cropper", "box", "message"),
    [
        (WindowCropper(8), (-1, 0, 5, 5), "reaches out of the image, which is 20x30"),
        (WindowCropper(8), (0, 0, 30, 5), "reaches out of the image"),
        (WindowCropper(8), (0, 0, 5, 20), "reaches out of the image"),
        (WindowCropper(8, 1), (50, 0, 55, 5), "lies outside the image, which is 20x30"),
        (WindowCropper(8, 1), (0, -20, 5, -10), "lies outside the image"),
    ],
)
def test_windows_that_are_not_in_the_image(cropper: WindowCropper, box: Box, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cropper.region(box, 20, 30)


@pytest.mark.parametrize("mirror", [False, True])
def test_the_pixels(mirror: bool) -> None:
    out = np.full((3, 8, 8), np.nan, np.float32)
    WindowCropper(8).apply(IMAGE, (2, 3, 11, 6), mirror, None, 1, out)
    expected = resize(IMAGE[:, 3:7, 2:12], 8, 8)
    np.testing.assert_array_equal(out, expected[:, :, ::-1] if mirror else expected)


@pytest.mark.parametrize("mirror", [False, True])
def test_what_lies_outside_is_zero_and_has_no_mean(mirror: bool) -> None:
    mean = np.random.default_rng(1).uniform(0, 9, (3, 9, 9)).astype(np.float32)
    out = np.full((3, 9, 9), np.nan, np.float32)
    WindowCropper(9, square=True).apply(IMAGE, (24, 14, 31, 21), mirror, mean, 0.5, out)
    pixels = IMAGE[:, 14:20, 24:30]
    expected = np.zeros((3, 9, 9), np.float32)
    if mirror:
        expected[:, :6, 3:] = (pixels[:, :, ::-1] - mean[:, :6, 3:]) / 2
    else:
        expected[:, :6, :6] = (pixels - mean[:, :6, :6]) / 2
    np.testing.assert_array_equal(out, expected)


def test_a_mean_of_each_channel() -> None:
    out = np.empty((3, 9, 9), np.float32)
    mean = np.array([1, 2, 3], np.float32)[:, None, None]
    WindowCropper(9, square=True).apply(IMAGE, (-2, -2, 5, 5), False, mean, 1, out)
    np.testing.assert_array_equal(out[:, 2:, 2:], IMAGE[:, :7, :7] - mean)
    assert not out[:, :2].any()
    assert not out[:, :, :2].any()


def test_a_sliver_inside_leaves_nothing() -> None:
    out = np.full((3, 4, 4), np.nan, np.float32)
    cropper = WindowCropper(4, square=True)
    assert cropper.region((-38, 0, 1, 9), 20, 30).width == 0
    cropper.apply(IMAGE, (-38, 0, 1, 9), False, None, 1, out)
    assert not out.any()


@pytest.mark.parametrize("mirror", [False, True])
def test_every_window_fits(mirror: bool) -> None:
    """Rounding may leave less room than the window was to have."""
    generator = np.random.default_rng(2)
    for _ in range(300):
        x1, y1 = generator.integers(-5, 25, 2).tolist()
        x2, y2 = x1 + int(generator.integers(0, 30)), y1 + int(generator.integers(0, 30))
        if x2 < 0 or y2 < 0 or y1 > 19:
            continue
        cropper = WindowCropper(int(generator.integers(5, 12)), 2, bool(generator.integers(2)))
        out = np.full((3, cropper.size, cropper.size), np.nan, np.float32)
        cropper.apply(IMAGE, (x1, y1, x2, y2), mirror, None, 1, out)
        assert np.isfinite(out).all()
