"""Trainings that several tests of results look at."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web.browser import ROOT
from tests.web.conftest import Served

NET = (ROOT / "examples" / "prototxt" / "segments" / "fcn.prototxt").read_text()


@pytest.fixture(scope="session")
def segmenter(server: Served) -> str:
    """A training on drawn segments."""
    form = {"name": "segments", "width": 48, "height": 32, "count": 160, "val_count": 12}
    dataset = server.call("/api/datasets/segments", form)["id"]
    server.wait(dataset)
    made: dict[str, Any] = {
        "name": "pixels", "network": NET, "dataset": dataset, "epochs": 4, "batch_sizes": [8],
        "solver": "Adam", "lrs": [0.002],
    }  # fmt: skip
    (job,) = server.call("/api/models", made)
    server.wait(job["id"])
    return str(job["id"])
