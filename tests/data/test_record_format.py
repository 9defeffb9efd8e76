"""How one image file is stored: what is changed, and what keeps its bytes."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.data.datum import decode, encode_image
from protonet.data.record_format import OWN, RecordFormat
from protonet.errors import DataError

IMAGE = np.random.default_rng(0).integers(0, 256, (3, 5, 7), np.uint8)
FILE = encode_image(IMAGE)


def test_pixels_and_label_go_into_the_record() -> None:
    made = RecordFormat().record(FILE, "x", "a.png", 4)
    np.testing.assert_array_equal(made.image, IMAGE)
    np.testing.assert_array_equal(decode(made.datum, "x"), IMAGE)
    assert (made.datum.label, made.datum.encoded) == (4, False)


def test_only_a_file_that_needs_no_change_keeps_its_bytes() -> None:
    assert RecordFormat(encoded=OWN).record(FILE, "x", "a.PNG").datum.data == FILE
    gray = RecordFormat(encoded=OWN, color=False).record(FILE, "x", "a.png")
    small = RecordFormat(encoded="png", size=(2, 3)).record(FILE, "x", "a.png")
    assert gray.datum.data != FILE
    assert decode(gray.datum, "x").shape == (1, 5, 7)
    np.testing.assert_array_equal(decode(small.datum, "x"), small.image)
    assert small.image.shape == (3, 2, 3)


def test_padding_is_black_on_the_right_and_below() -> None:
    form = RecordFormat(encoded=OWN, pad=(6, 9))
    made = form.record(FILE, "x", "a.png")
    np.testing.assert_array_equal(made.image[:, :5, :7], IMAGE)
    assert made.image.shape == (3, 6, 9)
    assert not made.image[:, 5:].any()
    assert not made.image[:, :, 7:].any()
    np.testing.assert_array_equal(decode(made.datum, "x"), made.image)
    assert form.values()["pad-width"] == 9
    assert RecordFormat(encoded=OWN, pad=(5, 7)).record(FILE, "x", "a.png").datum.data == FILE
    with pytest.raises(DataError, match=r"x: the image is 7x5, larger than the 9x4 that"):
        RecordFormat(pad=(4, 9)).record(FILE, "x", "a.png")


def test_an_ending_that_cannot_be_stored_is_refused() -> None:
    with pytest.raises(DataError, match=r"x: cannot be stored as 'gif'; say as what: png"):
        RecordFormat(encoded=OWN).record(FILE, "x", "a.gif")


def test_settings_have_names_for_people() -> None:
    assert RecordFormat((5, 7), False, "jpg", "crop").values() == {
        "width": 7,
        "height": 5,
        "channels": "gray",
        "encoded": "jpg",
        "fit": "crop",
    }
    assert set(RecordFormat().values().values()) == {None, "squash"}
