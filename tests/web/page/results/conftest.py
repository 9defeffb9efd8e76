"""Trainings that several tests of results look at."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web.browser import ROOT
from tests.web.conftest import Served


def trained(server: Served, form: dict[str, Any], example: str, settings: dict[str, Any]) -> str:
    """A training of a network of the examples on a drawn data set, that of the form's name."""
    dataset = server.call(f"/api/datasets/{form['name']}", form)["id"]
    server.wait(dataset)
    network = (ROOT / "examples" / "prototxt" / example).read_text()
    made = {"network": network, "dataset": dataset, "solver": "Adam", **settings}
    (job,) = server.call("/api/models", made)
    server.wait(job["id"])
    return str(job["id"])


@pytest.fixture(scope="session")
def segmenter(server: Served) -> str:
    """A training on drawn segments."""
    form = {"name": "segments", "width": 48, "height": 32, "count": 160, "val_count": 12}
    settings = {"name": "pixels", "epochs": 4, "batch_sizes": [8], "lrs": [0.002]}
    return trained(server, form, "segments/fcn.prototxt", settings)
