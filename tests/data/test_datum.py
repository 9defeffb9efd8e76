"""Records of all kinds, and records and images damaged for real."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from protonet.data.datum import decode, decode_image, encode_image, encoded_shape, make_datum
from protonet.errors import DataError
from protonet.proto.caffe_pb2 import Datum

GRAY = np.random.default_rng(0).integers(0, 256, (1, 3, 5), np.uint8)
BGR = np.random.default_rng(1).integers(0, 256, (3, 5, 7), np.uint8)


def encoded(image: Image.Image, kind: str = "PNG", **settings: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **settings)
    return buffer.getvalue()


def png_of_size(width: int, height: int) -> bytes:
    """A PNG whose header promises more than its few bytes hold."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        length, check = len(data), zlib.crc32(kind + data)
        return struct.pack(">I", length) + kind + data + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    signature = b"\x89PNG\r\n\x1a\n"
    return signature + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.parametrize("array", [GRAY, BGR])
@pytest.mark.parametrize("as_png", [True, False])
def test_bytes_come_back(array: np.ndarray, as_png: bool) -> None:
    datum = make_datum(array, label=7, encoded=as_png)
    found = decode(Datum.FromString(datum.SerializeToString()), "db")
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, array)
    assert (datum.label, datum.encoded) == (7, as_png)
    assert (datum.channels, datum.height, datum.width) == array.shape


def test_floats_come_back() -> None:
    values = np.array([[[0.25, -1.5]]], np.float32)
    datum = make_datum(values)
    assert not datum.HasField("label")
    found = decode(datum, "db")
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, values)


def test_colour_is_blue_green_red() -> None:
    image = Image.new("RGB", (5, 3), (250, 120, 10))
    found = decode_image(encoded(image), "db")
    np.testing.assert_array_equal(found[:, 1, 2], [10, 120, 250])
    assert found.shape == (3, 3, 5)


def test_jpeg_is_read() -> None:
    ramp = np.broadcast_to(np.arange(0, 240, 5, dtype=np.uint8), (32, 48))
    found = decode_image(encoded(Image.fromarray(ramp), "JPEG", quality=95), "db")
    assert found.shape == (1, 32, 48)
    assert np.abs(found[0].astype(int) - ramp).max() <= 3


@pytest.mark.parametrize(("color", "channels"), [(None, 1), (True, 3), (False, 1)])
def test_gray_is_forced(color: bool | None, channels: int) -> None:
    found = decode(make_datum(GRAY, encoded=True), "db", color=color)
    np.testing.assert_array_equal(found, np.repeat(GRAY, channels, axis=0))


@pytest.mark.parametrize(("color", "channels"), [(None, 3), (True, 3), (False, 1)])
def test_colour_is_forced(color: bool | None, channels: int) -> None:
    found = decode(make_datum(BGR, encoded=True), "db", color=color)
    luma = np.tensordot([0.114, 0.587, 0.299], BGR.astype(float), 1)[None]
    expected = BGR if channels == 3 else luma
    np.testing.assert_allclose(found, expected, atol=1)


def test_raw_records_are_not_forced() -> None:
    np.testing.assert_array_equal(decode(make_datum(GRAY), "db", color=True), GRAY)


def test_sixteen_bits_become_eight() -> None:
    wide = np.array([[0, 255, 256], [40000, 65535, 513]], np.uint16)
    found = decode_image(encoded(Image.fromarray(wide)), "db")
    np.testing.assert_array_equal(found, [[[0, 0, 1], [156, 255, 2]]])


@pytest.mark.parametrize(("mode", "channels"), [("LA", 1), ("RGBA", 3), ("P", 3), ("1", 1)])
def test_other_modes(mode: str, channels: int) -> None:
    image = Image.new("RGBA", (5, 3), (255, 255, 255, 0)).convert(mode)
    np.testing.assert_array_equal(
        decode_image(encoded(image), "db"), np.full((channels, 3, 5), 255)
    )


@pytest.mark.parametrize(
    ("datum", "message"),
    [
        (Datum(), "is empty: it has neither data nor float_data"),
        (Datum(encoded=True, channels=1, height=2, width=3), "is empty"),
        (Datum(data=b"abc"), "has shape 0x0x0, but every axis must be 1 or more"),
        (Datum(channels=-1, height=-3, width=1, data=b"abc"), "has shape -1x-3x1"),
        (Datum(channels=1, height=2, width=3, data=b"12345"), r"has 5 values, .* 1x2x3 needs 6"),
        (Datum(channels=1, height=1, width=2, float_data=[1, 2, 3]), r"has 3 values, .* needs 2"),
        (Datum(channels=2**20, height=2**20, width=2**20, data=b"1"), f"needs {2**60}"),
        (Datum(encoded=True, data=b"just a text"), "is not an image that can be decoded"),
    ],
)
def test_bad_records_are_named(datum: Datum, message: str) -> None:
    with pytest.raises(DataError, match=f"^db: key '7': .*{message}"):
        decode(datum, "db: key '7'")


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_truncated_image(kind: str) -> None:
    data = encoded(Image.fromarray(BGR.transpose(1, 2, 0)).resize((90, 80)), kind)
    with pytest.raises(DataError, match="db: the image is damaged or cut short"):
        decode_image(data[: len(data) // 2], "db")


@pytest.mark.parametrize("side", [10_000, 30_000])
def test_an_image_that_would_fill_the_memory(side: int) -> None:
    with pytest.raises(DataError, match="db: the image is too large"):
        decode_image(png_of_size(side, side + 1), "db")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP", "GIF"])
def test_damage_anywhere_is_a_data_error(kind: str) -> None:
    image = Image.fromarray(np.random.default_rng(2).integers(0, 256, (33, 21, 3), np.uint8))
    whole = encoded(image, kind)
    generator = np.random.default_rng(5)
    messages = []
    for _ in range(100):
        data = bytearray(whole)
        for place in generator.integers(0, len(data), 8):
            data[place] = generator.integers(256)
        try:
            found = decode_image(bytes(data), "db")
        except DataError as error:
            messages.append(str(error))
        else:
            assert found.shape[0] in (1, 3)
    assert messages
    assert all(message.startswith("db: ") for message in messages)


def test_threads_leave_the_filters_of_warnings_alone() -> None:
    data = encode_image(BGR)
    before = list(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: decode_image(data, "db"), range(400)))
    assert list(warnings.filters) == before
    assert all(np.array_equal(each, BGR) for each in found)


def test_a_plane_is_encoded() -> None:
    np.testing.assert_array_equal(decode_image(encode_image(GRAY[0]), "x"), GRAY)


@pytest.mark.parametrize("array", [np.zeros((2, 3, 5), np.uint8), np.zeros((1, 3, 5), np.float32)])
def test_what_no_png_holds(array: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"needs uint8 values with 1 or 3 channels, got .*x3x5"):
        make_datum(array, encoded=True)


def test_floating_point_images_are_refused(tmp_path: Path) -> None:
    """Values from 0 to 1 would become black."""
    Image.fromarray(np.full((2, 3), 0.5, np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(
        DataError, match=r"a.tif: the image holds floating point numbers of unknown"
    ):
        decode_image((tmp_path / "a.tif").read_bytes(), "a.tif")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "I;16", "P", "RGB", "RGBA", "CMYK"])
def test_the_head_of_an_image_tells_its_shape(mode: str) -> None:
    file = io.BytesIO()
    kind = "TIFF" if mode == "CMYK" else "PNG"
    Image.new(mode, (5, 3)).save(file, kind)
    data = file.getvalue()
    assert encoded_shape(data, "x") == decode_image(data, "x").shape
    for nothing in (b"", b"nothing"):
        with pytest.raises(DataError, match=r"^x: the data is not an image that can be decoded$"):
            encoded_shape(nothing, "x")
