"""Photographs that were held another way: against Pillow, which follows EXIF too."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from protonet.data.datum import decode, decode_image
from protonet.data.image_list import ImageList
from protonet.data.orientation import orientation_of
from protonet.data.record_format import RecordFormat

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)


def photo(orientation: int, kind: str = "PNG") -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, kind, exif=exif)
    return file.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_files_come_upright(orientation: int, kind: str, tmp_path: Path) -> None:
    data = photo(orientation, kind)
    assert orientation_of(data) == orientation
    with Image.open(io.BytesIO(data)) as image:
        expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))[:, :, ::-1]
    expected = expected.transpose(2, 0, 1)
    found = decode_image(data, "x", color=True, follows_exif=True)
    assert np.abs(found.astype(int) - expected).max() <= (0 if kind == "PNG" else 3)
    (tmp_path / "a.png").write_bytes(data)
    (tmp_path / "list.txt").write_text("a.png 1\n")
    listed, _ = ImageList(tmp_path / "list.txt", folder=tmp_path).image(0, color=True)
    np.testing.assert_array_equal(listed, found)
    assert RecordFormat().record(data, "x", "a.png").image.shape == expected.shape


def test_records_stay_as_they_are_stored() -> None:
    """A Datum is decoded without a look at EXIF, as Caffe decodes it; so it is stored upright."""
    data = photo(6)
    assert decode_image(data, "x").shape == (3, 4, 6)
    made = RecordFormat(encoded="own").record(data, "x", "a.png")
    assert decode(made.datum, "x").shape == (3, 6, 4)
    assert made.datum.data != data
    kept = RecordFormat(encoded="own").record(photo(1), "x", "a.png")
    assert kept.datum.data == photo(1)


@pytest.mark.parametrize("data", [b"", b"Exif\0\0", b"\xff\xd8\xffExif\0\0garbage"])
def test_what_says_nothing(data: bytes) -> None:
    assert orientation_of(data) == 1
    assert orientation_of(photo(1)[:-30]) == 1
    assert orientation_of(photo(9)) == 1
