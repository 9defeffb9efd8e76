"""Labels of pixels: what a list gives, how pairs are resized and padded."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from protonet.data.interpolation import Interpolation, resample
from protonet.data.seg_list import SegList, SegTransform, WindowSegList
from protonet.errors import DataError
from protonet.proto.caffe_pb2 import TEST, TRAIN, ImageDataParameter, TransformationParameter

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)
LABELS = np.random.default_rng(1).integers(0, 21, (4, 6), np.uint8)
IMAGE = PIXELS[:, :, ::-1].transpose(2, 0, 1)


def listed(folder: Path, line: str, kind: int) -> SegList:
    Image.fromarray(PIXELS).save(folder / "a.png")
    Image.fromarray(LABELS).save(folder / "l.png")
    (folder / "list.txt").write_text(line + "\n")
    return SegList(folder / "list.txt", folder=folder, label_type=kind, ignore=255)


@pytest.mark.parametrize(
    ("line", "kind", "labels"),
    [
        ("a.png l.png", ImageDataParameter.PIXEL, LABELS),
        ("a.png 7", ImageDataParameter.IMAGE, 7),
        ("a.png", ImageDataParameter.NONE, 255),
        ("a.png l.png", ImageDataParameter.NONE, 255),
    ],
)
def test_what_labels_are(tmp_path: Path, line: str, kind: int, labels: object) -> None:
    pair = listed(tmp_path, line, kind).read(0)
    np.testing.assert_array_equal(pair.image, IMAGE)
    np.testing.assert_array_equal(pair.labels, np.broadcast_to(labels, (1, 4, 6)))
    assert pair.size == (4, 6)


@pytest.mark.parametrize("word", ["l.png", "256", "-1"])
def test_a_class_is_a_number(tmp_path: Path, word: str) -> None:
    with pytest.raises(DataError, match=f"list.txt:1: expected a class of 0 to 255.*got '{word}'"):
        listed(tmp_path, f"a.png {word}", ImageDataParameter.IMAGE)


def test_of_pixels_both_paths_are_needed(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected the paths of an image and of its label image"):
        listed(tmp_path, "a.png", ImageDataParameter.PIXEL)


def transform(phase: int = TEST, **fields: object) -> SegTransform:
    param = TransformationParameter(**fields)
    return SegTransform(param, phase, ignore=250, seed=4, name="data")


def test_what_is_smaller_than_the_crop_is_padded(tmp_path: Path) -> None:
    """Below and at the right: with the mean, which becomes 0, and with the label of no class."""
    pair = listed(tmp_path, "a.png l.png", ImageDataParameter.PIXEL).read(0)
    made = transform(crop_h=7, crop_w=5, mean_value=[10, 20, 30], scale=0.5).apply(pair, 0)
    assert made.image.shape == (3, 7, 5)
    expected = (IMAGE[:, :, :5].astype(np.float32) - np.array([10, 20, 30])[:, None, None]) / 2
    np.testing.assert_array_equal(made.image[:, :4], expected)
    np.testing.assert_array_equal(made.image[:, 4:], 0)
    np.testing.assert_array_equal(made.labels[0, :4], LABELS[:, :5])
    np.testing.assert_array_equal(made.labels[0, 4:], 250)
    assert made.size == (4, 5)
    bare = transform(crop_size=7).apply(pair, 0)
    np.testing.assert_array_equal(bare.image[:, 4:], 0)


def test_each_pair_is_resized_by_one_of_the_factors(tmp_path: Path) -> None:
    pair = listed(tmp_path, "a.png l.png", ImageDataParameter.PIXEL).read(0)
    scaled = transform(TRAIN, crop_size=12, scale_factors=[0.5, 1, 2])
    seen = set()
    for place in range(30):
        made = scaled.apply(pair, place)
        np.testing.assert_array_equal(made.labels, scaled.apply(pair, place).labels)
        rows, columns = (int((made.labels[0] != 250).any(axis=axis).sum()) for axis in (1, 0))
        small = resample(LABELS[None], rows, columns, Interpolation.NEAREST)
        np.testing.assert_array_equal(made.labels[:, :rows, :columns], small)
        picture = resample(np.ascontiguousarray(IMAGE), rows, columns, Interpolation.LINEAR)
        np.testing.assert_array_equal(made.image[:, :rows, :columns], picture)
        seen.add((rows, columns))
    assert seen == {(2, 3), (4, 6), (8, 12)}


@pytest.mark.parametrize(
    ("line", "label_type", "message"),
    [
        ("a.png b.png 1 2 3", "PIXEL", "expected two words and x1 y1 x2 y2, got 'a.png b.png 1 2"),
        ("a.png 1 2 3 4", "PIXEL", "expected two words and x1 y1 x2 y2"),
        ("a.png 1 2 x 4", "NONE", "expected a path and x1 y1 x2 y2, got 'a.png 1 2 x 4'"),
        ("a.png b.png 5 2 3 4", "PIXEL", "expected x1 <= x2 and y1 <= y2, got 5 2 3 4"),
    ],
)
def test_windows_that_cannot_be(tmp_path: Path, line: str, label_type: str, message: str) -> None:
    (tmp_path / "windows.txt").write_text(line)
    kind = ImageDataParameter.LabelType.Value(label_type)
    with pytest.raises(DataError, match=re.escape(f"windows.txt:1: {message}")):
        WindowSegList(tmp_path / "windows.txt", label_type=kind, ignore=255)


def test_a_window_without_labels_that_is_too_large(tmp_path: Path) -> None:
    Image.fromarray(np.ones((2, 3, 3), np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "windows.txt").write_text("a.png -1 0 1 1\na.png 0 0 99999999 99999999\n")
    listed = WindowSegList(
        tmp_path / "windows.txt", label_type=ImageDataParameter.NONE, ignore=9, folder=tmp_path
    )
    image, labels, size = listed.read(0)
    np.testing.assert_array_equal(image[0], [[0, 1, 1]] * 2)
    np.testing.assert_array_equal(labels[0], 9)
    assert size == (2, 3)
    with pytest.raises(DataError, match="a window of 1048577 x 1048577 is too large"):
        listed.read(1)
