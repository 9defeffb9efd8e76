"""Hues, gray and distortion: known colours, the round trip, and each step of its own."""

from __future__ import annotations

import colorsys

import numpy as np

from protonet.data.colour import distort, from_hsv, gray, to_hsv
from protonet.data.image_rng import ImageRNG
from protonet.proto.caffe_pb2 import DistortionParameter

IMAGE = np.random.default_rng(0).integers(0, 256, (3, 6, 7), np.uint8)
KEY = np.array([1, 2], np.uint64)


def test_hues_of_known_colours() -> None:
    """OpenCV counts a hue in two degrees: red 0, green 60, blue 120."""
    colours = np.array(
        [[0, 0, 255], [0, 255, 0], [255, 0, 0], [0, 255, 255], [128, 128, 128]], np.uint8
    ).T[:, None]
    found = to_hsv(colours)[:, 0].T.tolist()
    assert found == [[0, 255, 255], [60, 255, 255], [120, 255, 255], [30, 255, 255], [0, 0, 128]]


def test_hsv_against_the_standard_library() -> None:
    found = to_hsv(IMAGE).reshape(3, -1).T.astype(int)
    for (blue, green, red), (hue, saturation, value) in zip(
        IMAGE.reshape(3, -1).T / 255, found, strict=True
    ):
        h, s, v = colorsys.rgb_to_hsv(red, green, blue)
        assert min(abs(hue - h * 180), 180 - abs(hue - h * 180)) <= 0.51
        assert abs(saturation - s * 255) <= 0.51
        assert abs(value - v * 255) <= 0.51


def test_there_and_back() -> None:
    # Hue and saturation are rounded to whole numbers on the way.
    assert np.abs(from_hsv(to_hsv(IMAGE)).astype(int) - IMAGE).max() <= 5


def test_gray_weighs_green_most() -> None:
    pixel = np.array([10, 200, 100], np.uint8)[:, None, None]
    assert gray(pixel).item() == round(0.114 * 10 + 0.587 * 200 + 0.299 * 100)


def test_nothing_asked_changes_nothing() -> None:
    np.testing.assert_array_equal(distort(IMAGE, DistortionParameter(), ImageRNG(KEY, 0)), IMAGE)


def test_brightness_is_one_shift_within_its_delta() -> None:
    param = DistortionParameter(brightness_prob=1, brightness_delta=20)
    shifts = set()
    for index in range(20):
        flat = np.full((3, 2, 2), 100, np.uint8)
        values = np.unique(distort(flat, param, ImageRNG(KEY, index)))
        assert len(values) == 1
        shifts.add(int(values[0]) - 100)
    assert min(shifts) < -5
    assert max(shifts) > 5
    assert all(abs(shift) <= 20 for shift in shifts)


def test_contrast_and_brightness_are_held_to_bytes() -> None:
    param = DistortionParameter(contrast_prob=1, contrast_lower=2, contrast_upper=2)
    found = distort(IMAGE, param, ImageRNG(KEY, 3))
    np.testing.assert_array_equal(found, np.minimum(IMAGE.astype(int) * 2, 255))


def test_saturation_zero_is_gray_and_hue_keeps_the_value() -> None:
    param = DistortionParameter(saturation_prob=1, saturation_lower=0, saturation_upper=0)
    found = distort(IMAGE, param, ImageRNG(KEY, 0))
    np.testing.assert_array_equal(found, IMAGE.max(axis=0, keepdims=True).repeat(3, axis=0))
    turned = distort(IMAGE, DistortionParameter(hue_prob=1, hue_delta=40), ImageRNG(KEY, 1))
    assert (turned != IMAGE).any()
    np.testing.assert_array_equal(turned.max(axis=0), IMAGE.max(axis=0))


def test_channels_change_places() -> None:
    param = DistortionParameter(random_order_prob=1)
    orders = set()
    for index in range(60):
        found = distort(IMAGE, param, ImageRNG(KEY, index))
        orders.add(tuple(next(i for i in range(3) if (plane == IMAGE[i]).all()) for plane in found))
    assert len(orders) == 6


def test_a_probability_is_a_share_of_images() -> None:
    param = DistortionParameter(contrast_prob=0.3, contrast_lower=0, contrast_upper=0)
    black = sum(not distort(IMAGE, param, ImageRNG(KEY, index)).any() for index in range(500))
    assert 110 < black < 190
