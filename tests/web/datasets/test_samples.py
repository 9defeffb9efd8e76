"""Images of a data set as pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.data.database import Database
from protonet.data.datum import decode_image
from protonet.data.drawn_segments import create_segments
from protonet.data.shapes import create_shapes
from protonet.data.transform import load_mean
from protonet.errors import UsageError
from protonet.web.datasets import Databases, mean_picture, picture, samples
from protonet.web.datasets.samples import Shown, mean_pixel, samples_of
from tests.web.datasets.test_report import write


def test_pictures_of_a_part(gradients: Path) -> None:
    databases = Databases.of_folder(gradients)
    first = samples(databases, "val", 2, 3)
    assert [sample.key for sample in first] == ["2", "3", "4"]
    assert decode_image(first[0].png, "x").shape == (1, 10, 12)
    assert first[0].label is not None
    assert all(-0.5 <= value < 0.5 for value in first[0].label)
    assert decode_image(mean_picture(databases), "x").shape == (1, 10, 12)


def test_classes_of_images(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    arrays = [random.integers(0, 256, (3, 5, 4), np.uint8) for _ in range(6)]
    write(tmp_path / "db", arrays, [0, 1, 1, 2, 2, 2])
    (tmp_path / "labels.txt").write_text("cat\ndog\nmouse\n")
    databases = Databases(tmp_path / "db", classes=tmp_path / "labels.txt")
    assert samples(databases)[3].class_name == "mouse"
    np.testing.assert_array_equal(decode_image(samples(databases)[0].png, "x"), arrays[0])
    with pytest.raises(UsageError, match="no part 'val'"):
        samples(databases, "val")
    with pytest.raises(UsageError, match="no mean"):
        mean_picture(databases)


def test_pictures_of_other_values() -> None:
    """Small and negative values are stretched; of five channels the first is shown."""
    values = np.linspace(-1, 1, 5 * 6 * 7).reshape(5, 6, 7)
    shown = decode_image(picture(values), "x")
    assert shown.shape == (1, 6, 7)
    assert (shown.min(), shown.max()) == (0, 255)
    assert decode_image(picture(np.ones((1, 3, 3)) * 200), "x").max() == 200


def test_boxes_and_pixels_are_shown(tmp_path: Path) -> None:
    create_shapes(tmp_path / "boxes", 48, 32, 3, 1, seed=1)
    databases = Databases.of_folder(tmp_path / "boxes")
    for sample in samples(databases):
        assert (sample.label, sample.size) == (None, (32, 48))
        with Database(databases.train_images) as images:
            groups = images.annotated(sample.key.encode()).annotation_group
        numbers = [group.group_label for group in groups for _ in group.annotation]
        assert [box.number for box in sample.boxes] == numbers
        assert set(sample.classes) == {("circle", "square", "triangle")[n - 1] for n in numbers}
        first = groups[0].annotation[0].bbox
        assert sample.boxes[0].corners == (first.xmin, first.ymin, first.xmax, first.ymax)
    key = samples(databases)[0].key.encode()
    (small,) = samples_of(databases, "train", [key], Shown(side=24))
    assert decode_image(small.png, "x").shape == (3, 16, 24)
    assert small.size == (32, 48)
    create_segments(tmp_path / "pixels", 48, 32, 2, 1, seed=1)
    pixels = Databases.of_folder(tmp_path / "pixels")
    with Database(pixels.train_images) as images:
        key = images.keys()[0]
        image, _ = images.image(key)
    (bare,) = samples_of(pixels, "train", [key], Shown(opacity=0))
    np.testing.assert_array_equal(decode_image(bare.png, "x"), image)
    (laid,) = samples_of(pixels, "train", [key], Shown(opacity=1))
    assert len(np.unique(decode_image(laid.png, "x").reshape(3, -1), axis=1).T) == len(laid.classes)


def test_the_mean_pixel(gradients: Path) -> None:
    databases = Databases.of_folder(gradients)
    mean = load_mean(gradients / "train_mean.binaryproto")
    assert mean_pixel(databases) == (pytest.approx(float(mean.mean()), abs=1e-4),)
