"""What a detector says of an image."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from protonet.errors import UsageError
from protonet.jobs.run.directory import RunDirectory
from protonet.web.results.detection import detect_image
from tests.jobs.nets import detector_run
from tests.web.trained import slopes


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("detector")
    detector_run(made)
    return made


def test_an_image_with_its_boxes(folder: Path) -> None:
    run = RunDirectory.open(folder / "run")
    found = detect_image(run, folder / "data" / "test0.png")
    assert (found.snapshot, found.width, found.height) == (6, 32, 24)
    assert 1 <= len(found.detections) <= 5
    assert {each.label for each in found.detections} == set(found.colors)
    with Image.open(io.BytesIO(found.seen)) as seen, Image.open(folder / "data/test0.png") as own:
        np.testing.assert_array_equal(np.asarray(seen), np.asarray(own))


def test_a_net_without_boxes_is_refused(gradients: Path, tmp_path: Path) -> None:
    run = slopes(gradients, tmp_path / "run")
    with pytest.raises(UsageError, match="finds no boxes"):
        detect_image(run, gradients / "test.png")
