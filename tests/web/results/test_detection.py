"""What a detector says of an image and of a data set."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from protonet.errors import UsageError
from protonet.jobs.run.directory import RunDirectory
from protonet.web.results.detection import detect_database, detect_image, points_of
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


@pytest.mark.parametrize(("most", "count"), [(1000, 5), (2, 4)])
def test_a_data_set(folder: Path, most: int, count: int) -> None:
    run = RunDirectory.open(folder / "run")
    found = detect_database(run, folder / "data" / "val_images", most=most, threshold=0.1)
    assert found.count == count  # full batches of four
    assert [each.name for each in found.classes] == ["circle", "square", "triangle"]
    assert found.mean.objects == sum(each.objects for each in found.classes)
    assert len(found.curves) == 3
    assert set(found.sizes) == {"small", "medium", "large"}
    assert len(found.worst) >= 1
    first = found.worst[0]
    assert first.missed == len([each for each in first.truths if each.mistake])
    assert first.false == len([each for each in first.found if each.mistake])
    assert all(each.score is not None and each.score >= 0.1 for each in first.found)
    assert all(each.score is None for each in first.truths)
    for box in (*first.truths, *first.found):
        assert 0 <= min(box.corners) <= max(box.corners) <= 1


def test_a_net_without_boxes_is_refused(gradients: Path, tmp_path: Path) -> None:
    run = slopes(gradients, tmp_path / "run")
    with pytest.raises(UsageError, match="finds no boxes"):
        detect_image(run, gradients / "test.png")


def test_long_curves_are_thinned() -> None:
    recall = np.linspace(0, 1, 5001)
    points = points_of(recall, 1 - recall)
    assert len(points) == 200
    assert (points[0], points[-1]) == ((0, 1), (1, 0))
    assert points_of(np.array([np.nan]), np.array([0.0])) == ()
    assert points_of(np.empty(0), np.empty(0)) == ()
