"""A small data set that the tests of this folder share."""

from __future__ import annotations

from pathlib import Path

import pytest

from protonet.data.create import create_gradients
from protonet.data.database import Database
from protonet.data.shapes import create_shapes
from protonet.data.writer import DatabaseWriter


@pytest.fixture(scope="session")
def gradients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """30 images of 20 x 17 pixels, 10 to validate."""
    folder = tmp_path_factory.mktemp("data") / "gradients"
    create_gradients(folder, 20, 17, 30, 10, seed=3)
    return folder


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 images of 32 x 24 pixels with boxes, 5 to validate."""
    folder = tmp_path_factory.mktemp("data") / "shapes"
    create_shapes(folder, 32, 24, 12, 5, seed=3)
    return folder


@pytest.fixture
def renamed(gradients: Path, tmp_path: Path) -> Path:
    """The labels of the training images under keys of another form."""
    with (
        Database(gradients / "train_labels") as labels,
        DatabaseWriter(tmp_path / "labels") as writer,
    ):
        for place, (_, datum) in enumerate(labels):
            writer.put(f"row {place:05}".encode(), datum)
    return tmp_path / "labels"
