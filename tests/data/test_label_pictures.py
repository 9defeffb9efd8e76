"""Pictures of classes of pixels."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from protonet.data.class_table import ClassTable
from protonet.data.datum import decode_image
from protonet.data.label_pictures import label_picture, overlay_picture
from protonet.errors import DataError

TABLE = ClassTable(("ground", "car"), ((0, 0, 0), (200, 100, 50)), 255, (10, 20, 30))
LABELS = np.array([[0, 1, 255], [1, 0, 7]], np.uint8)


def test_a_map_keeps_its_numbers_and_gets_the_colours() -> None:
    with Image.open(io.BytesIO(label_picture(LABELS[None], TABLE))) as picture:
        assert picture.mode == "P"
        assert np.array_equal(np.asarray(picture), LABELS)
        colours = np.asarray(picture.convert("RGB"))
    assert colours[0].tolist() == [[0, 0, 0], [200, 100, 50], [10, 20, 30]]
    assert colours[1, 2].tolist() == [0, 0, 0]  # no class


def test_an_overlay_mixes_both() -> None:
    image = np.full((3, 2, 3), 100, np.uint8)
    shown = decode_image(overlay_picture(image, LABELS, TABLE, 0.25), "x")  # BGR
    assert shown[:, 0, 1].tolist() == [88, 100, 125]
    assert shown[:, 0, 0].tolist() == [75, 75, 75]
    only = decode_image(overlay_picture(image, LABELS, TABLE, 0), "x")
    assert np.array_equal(only, image)


def test_an_overlay_of_a_gray_image_of_another_size() -> None:
    image = np.arange(24, dtype=np.uint8).reshape(1, 4, 6)
    shown = decode_image(overlay_picture(image, LABELS, TABLE, 1), "x")
    assert shown[:, 3, 1].tolist() == [50, 100, 200]
    assert shown[:, 1, 5].tolist() == [30, 20, 10]


def test_other_shapes_are_refused() -> None:
    with pytest.raises(DataError, match="height x width, got 2x2x3"):
        label_picture(np.zeros((2, 2, 3), np.uint8), TABLE)
    with pytest.raises(DataError, match="1 or 3 channels to lay classes over, got 2x2x3"):
        overlay_picture(np.zeros((2, 2, 3), np.uint8), LABELS, TABLE)
