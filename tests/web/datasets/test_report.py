"""What is found in a data set, and what is wrong with it."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protonet.data.create import create_gradients
from protonet.data.database import Database
from protonet.data.datum import decode, make_datum
from protonet.data.drawn_segments import create_segments
from protonet.data.shapes import create_shapes
from protonet.data.writer import DatabaseWriter
from protonet.web.datasets import (
    Databases,
    Report,
    Reports,
    histogram,
    inspect,
)
from protonet.web.datasets import report as module


def write(path: Path, arrays: list[np.ndarray], labels: list[int] | None = None) -> None:
    with DatabaseWriter(path) as writer:
        for number, array in enumerate(arrays):
            label = labels[number] if labels else 0
            writer.put(f"{number:04d}".encode(), make_datum(array, label=label))


def test_a_good_data_set(gradients: Path) -> None:
    databases = Databases.of_folder(gradients)
    report = inspect(databases)
    assert report.mistakes == ()
    train, val = report.parts
    assert (train.count, train.shape, train.label, val.count) == (40, (1, 10, 12), (1, 1, 2), 8)
    assert [each.name for each in train.histograms] == ["label[0]", "label[1]"]
    assert sum(train.histograms[0].counts) == 40


def test_all_that_is_wrong_is_told(gradients: Path, tmp_path: Path) -> None:
    good = Databases.of_folder(gradients)
    shapes = [np.zeros((1, 10, 12), np.uint8), np.zeros((1, 9, 12), np.uint8)]
    write(tmp_path / "mixed", shapes)
    write(tmp_path / "small", [np.zeros((1, 4, 4), np.uint8)])
    shutil.copy(gradients / "train_mean.binaryproto", tmp_path / "mean.binaryproto")
    for databases, told in (
        (replace(good, train_images=tmp_path / "nowhere"), "nowhere"),
        (replace(good, train_labels=good.val_labels), "do not pair up"),
        (replace(good, val_labels=None), "class numbers"),
        (replace(good, train_images=tmp_path / "mixed", train_labels=None), "1x9x12"),
        (Databases(tmp_path / "small", mean=tmp_path / "mean.binaryproto"), "the mean has shape"),
        (Databases(tmp_path / "small", classes=tmp_path / "labels.txt"), "labels.txt"),
    ):
        mistakes = inspect(databases).mistakes
        assert any(told in each for each in mistakes), (told, mistakes)


def test_classes(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    arrays = [random.integers(0, 256, (3, 5, 4), np.uint8) for _ in range(6)]
    write(tmp_path / "db", arrays, [0, 1, 1, 2, 2, 2])
    (tmp_path / "labels.txt").write_text("cat\ndog\nmouse\n")
    databases = Databases(tmp_path / "db", classes=tmp_path / "labels.txt")
    report = inspect(databases)
    assert report.parts[0].histograms[0].counts == (1, 2, 3)
    assert report.classes == ("cat", "dog", "mouse")


def test_a_histogram_of_some_that_are_not_finite() -> None:
    found = histogram("x", np.array([0.0, 1.0, np.nan, np.inf]), bins=2)
    assert (found.counts, found.edges) == ((1, 1), (0.0, 0.5, 1.0))


def test_a_report_is_kept_until_a_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_gradients(tmp_path / "set", 8, 6, 5, 2, seed=1)
    databases = Databases.of_folder(tmp_path / "set")
    looked = []

    def counted(given: Databases) -> Report:
        looked.append(given)
        return inspect(given)

    monkeypatch.setattr(module, "inspect", counted)
    reports = Reports()
    first = reports.of(databases)
    assert first.parts[0].count == 5
    assert reports.of(databases) is first
    assert len(looked) == 1
    os.utime(tmp_path / "set" / "val_images" / "data.mdb", (1, 1))
    assert reports.of(databases) is not first
    assert len(looked) == 2
    (tmp_path / "set" / "train_mean.binaryproto").unlink()
    assert reports.of(databases).mistakes


def test_shapes_are_read_from_the_heads_of_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_gradients(tmp_path / "set", 8, 6, 9, 2, seed=1)
    decoded = []

    def counted(*given: Any, **more: Any) -> Any:
        decoded.append(given)
        return decode(*given, **more)

    monkeypatch.setattr(module, "decode", counted)
    report = inspect(Databases(tmp_path / "set" / "train_images"))
    assert report.parts[0].looked_at == 9
    assert len(decoded) == 1


def test_boxes_and_pixels(tmp_path: Path) -> None:
    create_shapes(tmp_path / "boxes", 32, 24, 30, 4, seed=1)
    found = inspect(Databases.of_folder(tmp_path / "boxes"))
    assert (found.form, found.mistakes) == ("detection", ())
    assert found.classes == ("circle", "square", "triangle")
    by_class, in_images = found.parts[0].histograms
    assert by_class.bars == ("background", "circle", "square", "triangle")
    assert sum(by_class.counts) == sum(n * count for n, count in enumerate(in_images.counts))
    assert (by_class.counts[0], sum(in_images.counts), in_images.bars) == (0, 30, ())
    create_segments(tmp_path / "pixels", 32, 24, 6, 2, seed=1)
    pixels = Databases.of_folder(tmp_path / "pixels")
    found = inspect(pixels)
    assert (found.form, found.mistakes) == ("segmentation", ())
    (histogram,) = found.parts[0].histograms
    assert (sum(histogram.counts), histogram.bars[1]) == (6 * 32 * 24, "circle")
    write(tmp_path / "small", [np.zeros((1, 24, 31), np.uint8)])
    write(tmp_path / "one", [np.zeros((3, 24, 32), np.uint8)])
    wrong = replace(pixels, train_images=tmp_path / "one", train_labels=tmp_path / "small")
    assert "expected a class for each pixel" in inspect(wrong).mistakes[0]


def test_images_with_boxes_may_differ_in_size(tmp_path: Path) -> None:
    for number, side in enumerate((24, 30)):
        create_shapes(tmp_path / str(number), side, 24, 1, 1, seed=1)
    with DatabaseWriter(tmp_path / "both") as writer:
        for number in range(2):
            with Database(tmp_path / str(number) / "train_images") as images:
                key = images.keys()[0]
                writer.put(b"%d" % number, images.annotated(key))
    found = inspect(Databases(tmp_path / "both"))
    assert (found.form, found.mistakes, found.parts[0].count) == ("detection", (), 2)
