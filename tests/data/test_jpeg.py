"""simplejpeg beside Pillow: the same pixels, or none."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from protonet.data import jpeg
from protonet.data.datum import decode_image
from protonet.data.jpeg import decode_jpeg

SUBSAMPLINGS = ("4:4:4", "4:2:2", "4:2:0")


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if simplejpeg were not installed."""
    jpeg._decoder.cache_clear()
    monkeypatch.setitem(__import__("sys").modules, "simplejpeg", None)
    yield
    jpeg._decoder.cache_clear()


def picture(height: int, width: int) -> Image.Image:
    """Smooth colours with some noise, and hard edges."""
    rng = np.random.default_rng(height)
    small = Image.fromarray(rng.integers(0, 256, (5, 4, 3), np.uint8))
    pixels = np.asarray(small.resize((width, height), Image.Resampling.BICUBIC)).astype(int)
    pixels = pixels + rng.integers(-20, 21, pixels.shape)
    pixels[height // 3 : height // 2, width // 4 : width // 2] = (255, 0, 60)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def encoded(image: Image.Image, **settings: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **settings)
    return buffer.getvalue()


def by_pillow(data: bytes, mode: str) -> np.ndarray:
    pixels = np.asarray(Image.open(io.BytesIO(data)).convert(mode))
    return pixels[None] if mode == "L" else pixels[:, :, ::-1].transpose(2, 0, 1)


@pytest.mark.parametrize("size", [(64, 48), (33, 71), (1, 7)])
@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
@pytest.mark.parametrize("quality", [10, 50, 75, 90, 95, 100])
@pytest.mark.parametrize("progressive", [False, True])
def test_colour_has_the_pixels_of_pillow(
    size: tuple[int, int], subsampling: str, quality: int, progressive: bool
) -> None:
    data = encoded(
        picture(*size), quality=quality, subsampling=subsampling, progressive=progressive
    )
    for color in (None, True):
        found = decode_jpeg(data, color=color, most=1e6)
        assert found is not None
        np.testing.assert_array_equal(found, by_pillow(data, "RGB"))
        np.testing.assert_array_equal(decode_image(data, "x", color=color), found)


@pytest.mark.parametrize("quality", [10, 75, 100])
@pytest.mark.parametrize(("color", "mode"), [(None, "L"), (False, "L"), (True, "RGB")])
def test_gray_has_the_pixels_of_pillow(quality: int, color: bool | None, mode: str) -> None:
    data = encoded(picture(33, 71).convert("L"), quality=quality)
    found = decode_jpeg(data, color=color, most=1e6)
    assert found is not None
    np.testing.assert_array_equal(found, by_pillow(data, mode))


def test_colours_that_were_stored_as_they_are() -> None:
    data = encoded(picture(33, 71), keep_rgb=True)
    np.testing.assert_array_equal(decode_image(data, "x"), by_pillow(data, "RGB"))


def test_the_rest_is_left_to_pillow() -> None:
    data = encoded(picture(33, 71))
    assert decode_jpeg(data, color=False, most=1e6) is None
    assert decode_jpeg(data, color=None, most=33 * 71 - 1) is None
    assert decode_jpeg(data[: len(data) // 2], color=None, most=1e6) is None
    assert decode_jpeg(b"\xff\xd8\xff nothing", color=None, most=1e6) is None
    printed = encoded(picture(33, 71).convert("CMYK"))
    assert decode_jpeg(printed, color=None, most=1e6) is None
    np.testing.assert_array_equal(decode_image(printed, "x"), by_pillow(printed, "RGB"))
    np.testing.assert_array_equal(decode_image(data, "x", color=False), by_pillow(data, "L"))


@pytest.mark.usefixtures("without")
def test_without_simplejpeg_pillow_decodes() -> None:
    data = encoded(picture(33, 71))
    assert decode_jpeg(data, color=None, most=1e6) is None
    np.testing.assert_array_equal(decode_image(data, "x"), by_pillow(data, "RGB"))
