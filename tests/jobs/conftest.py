"""A small data set that the tests of this folder share."""

from __future__ import annotations

from pathlib import Path

import pytest

from protonet.data.create import create_gradients
from protonet.data.database import Database
from protonet.data.shapes import create_shapes
from protonet.data.writer import DatabaseWriter
from protonet.jobs.training.start import start
from tests.jobs.nets import SEED, net_of, segment_run, settings_of


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


@pytest.fixture(scope="session")
def segments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of ``set`` and ``data``, 12 images of 6 x 8 with classes of pixels and 4 to
    validate, and ``run``, trained on them.
    """
    folder = tmp_path_factory.mktemp("segments")
    segment_run(folder)
    return folder


@pytest.fixture(scope="session")
def regression(gradients: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that learned slopes for an epoch."""
    out = tmp_path_factory.mktemp("runs") / "slopes"
    start(net_of(SEED), settings_of(gradients, out, epochs=1.0))
    return out


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
