"""Our decoder and simplejpeg beside Pillow: the same pixels, or none."""

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
from protonet.kernels import native
from tests.kernels.instructions import MODULES, use

pytest.importorskip("simplejpeg")
DECODERS = (*MODULES, "simplejpeg")
SUBSAMPLINGS = ("4:4:4", "4:2:2", "4:2:0")


@pytest.fixture(params=DECODERS)
def decoder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What decodes: our decoder for an instruction set, or simplejpeg alone."""
    name: str = request.param
    if name == "simplejpeg":
        monkeypatch.setattr(native, "load", lambda: None)
    else:
        use(name, monkeypatch)
    return name


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if simplejpeg were not installed, and nothing compiled."""
    monkeypatch.setattr(native, "load", lambda: None)
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


@pytest.mark.usefixtures("decoder")
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


@pytest.mark.usefixtures("decoder")
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


@pytest.mark.usefixtures("decoder")
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


def own(data: bytes) -> np.ndarray | None:
    found: np.ndarray | None = native.load().decode_jpeg(data, None, 1e6)
    return found


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
def test_files_that_our_decoder_reads_itself(
    module: str, subsampling: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Full blocks, codes of the file's own, restarts, and edges inside of units."""
    use(module, monkeypatch)
    noise = Image.fromarray(np.random.default_rng(2).integers(0, 256, (75, 131, 3), np.uint8))
    for image in (picture(75, 131), picture(16, 32), picture(9, 5), noise):
        for settings in (
            {"quality": 5}, {"quality": 100}, {"optimize": True}, {"restart_marker_blocks": 3},
            {"restart_marker_rows": 1, "quality": 98}, {"comment": b"x" * 300},
        ):  # fmt: skip
            data = encoded(image, subsampling=subsampling, **settings)
            found = own(data)
            assert found is not None
            np.testing.assert_array_equal(found, by_pillow(data, "RGB"))


def test_values_beyond_the_range_are_cut_off_as_libraries_do() -> None:
    data = bytearray(encoded(picture(64, 48), quality=100))
    first = data.index(b"\xff\xdb") + 5
    for factor in (90, 255):
        data[first : first + 64] = bytes([factor] * 64)
        found = own(bytes(data))
        assert found is not None
        reference = simplejpeg_pixels(bytes(data))
        np.testing.assert_array_equal(found, reference)


def simplejpeg_pixels(data: bytes) -> np.ndarray:
    import simplejpeg

    pixels: np.ndarray = simplejpeg.decode_jpeg(data, "BGR")
    return pixels.transpose(2, 0, 1)


def test_other_kinds_are_left_to_libraries() -> None:
    image = picture(33, 71)
    others = {
        "progressive": encoded(image, progressive=True),
        "stored as RGB": encoded(image, keep_rgb=True),
        "printed": encoded(image.convert("CMYK")),
        "too narrow": encoded(picture(30, 3), subsampling="4:2:0"),
        "no end": encoded(image)[:-2],
        "nothing": b"\xff\xd8\xff",
    }
    for data in others.values():
        assert own(data) is None
    assert own(b"") is None


@pytest.mark.parametrize("module", MODULES)
def test_damaged_files_are_refused_or_have_the_pixels_of_libraries(
    module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(module, monkeypatch)
    generator = np.random.default_rng(7)
    files = [
        encoded(picture(33, 71), quality=95),
        encoded(picture(40, 40), subsampling="4:2:2", restart_marker_blocks=2),
        encoded(picture(20, 30).convert("L"), optimize=True),
    ]
    decoded = 0
    for number in range(600):
        data = bytearray(files[number % len(files)])
        for place in generator.integers(2, len(data), generator.integers(1, 4)):
            data[place] = generator.integers(0, 256)
        cut = len(data) if number % 4 else int(generator.integers(2, len(data)))
        found = own(bytes(data[:cut]))
        if found is None:
            continue
        decoded += 1
        assert found.size <= 1e6
        reference = simplejpeg_or_none(bytes(data[:cut]), found.shape[0])
        if reference is not None:
            np.testing.assert_array_equal(found, reference)
    assert decoded > 100


def simplejpeg_or_none(data: bytes, channels: int) -> np.ndarray | None:
    import simplejpeg

    try:
        pixels: np.ndarray = simplejpeg.decode_jpeg(data, "BGR" if channels == 3 else "Gray")
    except ValueError:
        return None
    return pixels.transpose(2, 0, 1)


def test_a_size_that_the_data_cannot_fill_takes_no_memory() -> None:
    data = bytearray(encoded(picture(33, 71)))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = b"\xff\xff\xff\xff"
    assert native.load().decode_jpeg(bytes(data), None, float("inf")) is None


@pytest.mark.usefixtures("without")
def test_without_simplejpeg_pillow_decodes() -> None:
    data = encoded(picture(33, 71))
    assert decode_jpeg(data, color=None, most=1e6) is None
    np.testing.assert_array_equal(decode_image(data, "x"), by_pillow(data, "RGB"))
