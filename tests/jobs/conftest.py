"""A small data set that the tests of this folder share."""

from __future__ import annotations

from pathlib import Path

import pytest

from protonet.data.create import create_gradients


@pytest.fixture(scope="session")
def gradients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """30 images of 20 x 17 pixels, 10 to validate."""
    folder = tmp_path_factory.mktemp("data") / "gradients"
    create_gradients(folder, 20, 17, 30, 10, seed=3)
    return folder
