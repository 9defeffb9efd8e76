"""The files of a data set, and its form."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from protonet.data.class_table import CLASS_TABLE
from protonet.data.datum import make_datum
from protonet.data.shapes import create_shapes
from protonet.data.writer import DatabaseWriter
from protonet.web.datasets import Databases
from protonet.web.datasets import databases as module


def write(path: Path, array: np.ndarray) -> Path:
    with DatabaseWriter(path) as writer:
        writer.put(b"0", make_datum(array))
    return path


def test_names_and_folders_say_the_same(gradients: Path) -> None:
    found = Databases.of_folder(gradients)
    names = {key: str(value) if value else None for key, value in vars(found).items()}
    assert Databases.of_names(names) == found
    assert found.form == "regression"


def test_a_data_set_with_boxes(tmp_path: Path) -> None:
    create_shapes(tmp_path / "set", 24, 16, 3, 2, seed=1)
    found = Databases.of_folder(tmp_path / "set")
    assert found.label_map == tmp_path / "set" / "labelmap.prototxt"
    assert found.sizes == tmp_path / "set" / "test_name_size.txt"
    assert found.form == "detection"
    # Without its label map the first record tells.
    assert Databases(found.train_images).form == "detection"


def test_classes_of_images_and_of_pixels(tmp_path: Path) -> None:
    images = write(tmp_path / "train_images", np.zeros((3, 5, 4), np.uint8))
    assert Databases.of_folder(tmp_path).form == "classification"
    pixels = write(tmp_path / "pixels", np.zeros((1, 5, 4), np.uint8))
    vector = write(tmp_path / "vector", np.zeros((1, 1, 20), np.float32))
    other = write(tmp_path / "other", np.zeros((1, 5, 3), np.uint8))
    coverage = write(tmp_path / "coverage", np.zeros((1, 5, 4), np.float32))
    forms = [Databases(images, each).form for each in (pixels, vector, other, coverage)]
    assert forms == ["segmentation", "regression", "regression", "regression"]
    (tmp_path / CLASS_TABLE).write_text("index,name,red,green,blue\n0,ground,0,0,0\n")
    found = Databases.of_folder(tmp_path)
    assert (found.class_table, found.form) == (tmp_path / CLASS_TABLE, "segmentation")


def test_the_form_of_what_cannot_be_read(tmp_path: Path) -> None:
    absent = Databases(tmp_path / "nowhere")
    assert absent.form == "classification"
    assert replace(absent, train_labels=tmp_path / "labels").form == "regression"
    write(tmp_path / "images", np.zeros((1, 2, 3), np.uint8))
    found = Databases(tmp_path / "images", tmp_path / "nowhere")
    assert found.form == "regression"


def test_the_form_is_cached_until_a_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    original = module.Database

    def counted(path: Path) -> object:
        opened.append(path)
        return original(path)

    monkeypatch.setattr(module, "Database", counted)
    databases = Databases(write(tmp_path / "images", np.zeros((1, 2, 3), np.uint8)))
    assert [databases.form, Databases(tmp_path / "images").form] == ["classification"] * 2
    assert len(opened) == 1
    (tmp_path / "images" / "data.mdb").unlink()
    (tmp_path / "images" / "lock.mdb").unlink(missing_ok=True)
    (tmp_path / "images").rmdir()
    create_shapes(tmp_path / "set", 24, 16, 1, 1, seed=1)
    (tmp_path / "set" / "train_images").rename(tmp_path / "images")
    assert databases.form == "detection"
    assert len(opened) == 2
