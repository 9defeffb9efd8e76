"""Pictures of augmented images, also from the process that reads the network."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from protonet.data.datum import decode_image
from protonet.data.shapes import create_shapes
from protonet.errors import NetworkError
from protonet.web.checks import Checks
from protonet.web.datasets import Databases
from protonet.web.datasets.augmented import AugmentForm, augmented_samples
from protonet.web.workspace import Workspace
from tests.data.test_augmented_images import SSD
from tests.web.browser import awaited


@pytest.fixture
def checks() -> Iterator[Checks]:
    found = Checks(processes=1)
    yield found
    found.close()


def test_here_and_elsewhere(tmp_path: Path, checks: Checks) -> None:
    create_shapes(tmp_path / "set", 48, 32, 5, 1, seed=1)
    databases = Databases.of_folder(tmp_path / "set")
    workspace = Workspace.open(tmp_path / "work")
    form = AugmentForm(network=SSD, count=2, variants=3, side=24)
    here = augmented_samples(form, workspace, databases)
    assert len(here) == 2
    first = here[0]
    assert (first.original.size, first.variants[0].size) == ((32, 48), (20, 30))
    assert {box.name for box in first.original.boxes} <= {"circle", "square", "triangle"}
    png = base64.b64decode(first.original.png.partition(",")[2])
    assert decode_image(png, "x").shape == (3, 16, 24)
    assert awaited(checks.augment(form, workspace, databases)) == here
    bad = form.model_copy(update={"network": SSD.replace("mirror", "miror")})
    with pytest.raises(NetworkError, match="no field 'miror'"):
        awaited(checks.augment(bad, workspace, databases))
    huge = SSD.replace("height: 20 width: 30", "height: 60000 width: 60000")
    with pytest.raises(NetworkError, match=r"more memory than|longer than"):
        awaited(checks.augment(form.model_copy(update={"network": huge}), workspace, databases))
