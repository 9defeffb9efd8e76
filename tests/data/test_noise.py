"""Each field of noise_param by itself, against numbers worked out by hand or a plain loop."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.data.colour import gray, to_hsv
from protonet.data.image_rng import ImageRNG
from protonet.data.noise import add_noise, check_noise
from protonet.errors import DataError, LayerError
from protonet.proto.caffe_pb2 import NoiseParameter, SaltPepperParameter

IMAGE = np.random.default_rng(0).integers(0, 256, (3, 9, 11), np.uint8)
KEY = np.array([1, 2], np.uint64)


def noisy(image: np.ndarray = IMAGE, index: int = 0, **fields: Any) -> np.ndarray:
    return add_noise(image, NoiseParameter(**fields), ImageRNG(KEY, index))


def test_pointwise_steps() -> None:
    np.testing.assert_array_equal(noisy(inverse=True), 255 - IMAGE)
    np.testing.assert_array_equal(noisy(decolorize=True), gray(IMAGE).repeat(3, axis=0))
    np.testing.assert_array_equal(noisy(convert_to_hsv=True), to_hsv(IMAGE))
    levels = np.array([0, 63, 64, 127, 128, 255], np.uint8)[None, None]
    np.testing.assert_array_equal(noisy(levels, posterize=True)[0, 0], [32, 32, 96, 96, 160, 224])


def test_the_fork_s_order() -> None:
    """posterize, then inverse: 63 becomes 32, and that 223."""
    pixel = np.full((1, 1, 1), 63, np.uint8)
    assert noisy(pixel, posterize=True, inverse=True).item() == 223


def test_erosion_takes_the_least_of_a_cross() -> None:
    found = noisy(erode=True)
    wide = np.pad(IMAGE, ((0, 0), (1, 1), (1, 1)), constant_values=255)
    parts = [wide[:, 1:-1, 1:-1], wide[:, :-2, 1:-1], wide[:, 2:, 1:-1]]
    parts += [wide[:, 1:-1, :-2], wide[:, 1:-1, 2:]]
    np.testing.assert_array_equal(found, np.min(parts, axis=0))


def test_blur_against_a_plain_loop() -> None:
    weights = np.exp(-(np.arange(-3, 4) ** 2) / (2 * 1.5**2))
    kernel = np.outer(weights, weights) / weights.sum() ** 2
    wide = np.pad(IMAGE.astype(float), ((0, 0), (3, 3), (3, 3)), "reflect")
    expected = [
        [(wide[:, i : i + 7, j : j + 7] * kernel).sum(axis=(1, 2)) for j in range(11)]
        for i in range(9)
    ]
    found = noisy(gauss_blur=True)
    assert np.abs(found - np.array(expected).transpose(2, 0, 1)).max() <= 0.51


def test_a_histogram_becomes_flat() -> None:
    """Four values with 2, 1, 4 and 1 of 8 pixels: 0, 1/6, 5/6 and all of the rest."""
    plane = np.array([[10, 10, 20, 30, 30, 30, 30, 40]], np.uint8)[None]
    found = noisy(plane, hist_eq=True)[0, 0].tolist()
    assert found == [0, 0, 42, 212, 212, 212, 212, 255]
    flat = np.full((1, 2, 2), 9, np.uint8)
    np.testing.assert_array_equal(noisy(flat, hist_eq=True), flat)
    coloured = noisy(hist_eq=True)
    assert gray(coloured).std() > gray(IMAGE).std()


def test_salt_falls_on_a_share_of_the_pixels() -> None:
    salt = SaltPepperParameter(fraction=0.2, value=[1, 2, 3])
    image = np.full((3, 10, 10), 100, np.uint8)
    found = noisy(image, saltpepper=True, saltpepper_param=salt)
    hit = (found != 100).any(axis=0)
    assert 12 <= hit.sum() <= 20  # drawn with repetition
    assert (found[:, hit] == np.array([1, 2, 3])[:, None]).all()
    again = noisy(image, saltpepper=True, saltpepper_param=salt)
    np.testing.assert_array_equal(found, again)
    assert (found != noisy(image, 1, saltpepper=True, saltpepper_param=salt)).any()


def test_jpeg_loses_little_at_a_high_quality_and_much_at_a_low_one() -> None:
    rows = np.linspace(0, 250, 32, dtype=np.uint8)
    image = np.broadcast_to(rows, (3, 32, 32))
    near = np.abs(noisy(image, jpeg=95).astype(int) - image).max()
    far = np.abs(noisy(image, jpeg=2).astype(int) - image).max()
    assert near <= 3 < far
    assert noisy(image[:1], jpeg=50).shape == (1, 32, 32)


def test_prob_says_how_often() -> None:
    found = sum((noisy(index=index, prob=0.3, inverse=True) != IMAGE).any() for index in range(300))
    assert 60 < found < 120


@pytest.mark.parametrize(
    ("fields", "channels", "message"),
    [
        ({"clahe": True}, 3, "clahe of noise_param is not supported"),
        ({"convert_to_lab": True}, 3, "convert_to_lab of noise_param is not supported"),
        ({"decolorize": True}, 1, "decolorize needs images of 3 channels, got 1"),
        ({"saltpepper": True}, 3, "saltpepper needs 1 value or one for each of 3"),
        (
            {
                "saltpepper": True,
                "saltpepper_param": SaltPepperParameter(fraction=2, value=[1]),
            },
            3,
            "expected a fraction from 0 to 1, got 2",
        ),
    ],
)
def test_what_is_refused(fields: dict[str, Any], channels: int, message: str) -> None:
    with pytest.raises(LayerError, match=message):
        check_noise(NoiseParameter(**fields), channels)


def test_floats_are_refused() -> None:
    with pytest.raises(DataError, match="noise_param needs images of bytes, got float32"):
        noisy(IMAGE.astype(np.float32), inverse=True)
