"""The drawn data set for segmentation."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from protonet.data.class_table import read_class_table
from protonet.data.database import Database, check_pairs
from protonet.data.datum import decode, decode_image
from protonet.data.drawn_segments import TABLE, create_segments, pixel_classes
from protonet.data.shapes import SHAPES, Drawn, draw_shapes
from protonet.errors import UsageError


def test_classes_are_those_of_the_pixels_that_are_seen() -> None:
    generator, seen = np.random.default_rng(0), set()
    for _ in range(40):
        drawn = draw_shapes(generator, 40, 32)
        labels = pixel_classes(drawn)
        assert labels.shape == (1, 32, 40)
        # Every shape is brighter than the noise, in one of its channels.
        np.testing.assert_array_equal(labels[0] > 0, drawn.image.max(axis=0) >= 128)
        seen |= set(np.unique(labels).tolist())
    assert seen == {0, 1, 2, 3}


def test_the_last_shape_lies_on_top() -> None:
    image = np.zeros((3, 8, 8), np.uint8)
    labels = pixel_classes(Drawn(image, [(2, 0, 0, 4, 4), (2, 2, 2, 6, 6), (1, 3, 3, 8, 8)]))
    assert labels[0, 0, :5].tolist() == [2, 2, 2, 2, 0]
    assert labels[0, 5, 5] == 1
    assert labels[0, 3, 2] == 2


def test_a_data_set(tmp_path: Path) -> None:
    folder, seen = tmp_path / "data", []
    create_segments(folder, 40, 32, 5, 2, 7, lambda done, total: seen.append((done, total)))
    assert seen == [(done, 7) for done in range(1, 8)]
    assert read_class_table(folder / "class_table.csv") == TABLE
    assert TABLE.names == ("background", *SHAPES)
    generator, images = np.random.default_rng(7), []
    for part, count in (("train", 5), ("val", 2)):
        with (
            Database(folder / f"{part}_images") as pictures,
            Database(folder / f"{part}_labels") as labels,
        ):
            assert (len(pictures), len(labels)) == (count, count)
            assert not check_pairs(pictures, labels)
            for key in list(pictures.keys()):
                drawn = draw_shapes(generator, 40, 32)
                np.testing.assert_array_equal(decode(pictures.get(key), ""), drawn.image)
                found = decode(labels.get(key), "")
                np.testing.assert_array_equal(found, pixel_classes(drawn))
                images += [drawn.image] * (part == "train")
    assert (folder / "train_mean.binaryproto").exists()
    for index in range(4):
        drawn = draw_shapes(generator, 40, 32)
        shown = decode_image((folder / f"test{index}.png").read_bytes(), "")
        np.testing.assert_array_equal(shown, drawn.image)
        with Image.open(io.BytesIO((folder / f"test{index}_labels.png").read_bytes())) as picture:
            np.testing.assert_array_equal(np.asarray(picture), pixel_classes(drawn)[0])


def test_what_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="width and height 16 or more, got 5, 0 and 16x15"):
        create_segments(tmp_path / "data", 16, 15, 5, 0)
    (tmp_path / "data").mkdir()
    with pytest.raises(UsageError, match="exists already"):
        create_segments(tmp_path / "data", 16, 16, 1, 1)
    assert list((tmp_path / "data").iterdir()) == []
