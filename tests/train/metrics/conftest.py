"""A small data set with boxes."""

from __future__ import annotations

from pathlib import Path

import pytest

from protonet.data.shapes import create_shapes


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 images of 32 x 24 pixels with boxes, 5 to validate."""
    folder = tmp_path_factory.mktemp("data") / "shapes"
    create_shapes(folder, 32, 24, 12, 5, seed=3)
    return folder
