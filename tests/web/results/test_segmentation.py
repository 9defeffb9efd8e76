"""What a trained segmentation says; the figures themselves are tested in tests/jobs/evaluation."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from protonet.data.datum import decode_image
from protonet.errors import UsageError
from protonet.jobs.run.directory import RunDirectory
from protonet.web.results.segmentation import segment_database, segment_image
from tests.data import segmentation_sets as sets
from tests.jobs.nets import segment_run
from tests.web.trained import slopes


@pytest.fixture(scope="module")
def segments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("segments")
    segment_run(folder)
    return folder


def test_an_image_keeps_its_size_in_the_map(segments: Path, tmp_path: Path) -> None:
    run = RunDirectory.open(segments / "run")
    found = segment_image(run, segments / "set" / "images" / "a.png")
    assert (found.snapshot, found.note) == (12, "")
    assert sum(each.share for each in found.classes) == pytest.approx(1)
    np.testing.assert_array_equal(decode_image(found.seen, ""), sets.image_of(0))
    large = np.zeros((3, 30, 1600), np.uint8)
    Image.fromarray(large.transpose(1, 2, 0)).save(tmp_path / "large.png")
    found = segment_image(run, tmp_path / "large.png")
    assert found.note == "resized from 1600x30 to 8x6"
    with (
        Image.open(io.BytesIO(found.labels)) as labels,
        Image.open(io.BytesIO(found.seen)) as seen,
    ):
        assert labels.size == (1600, 30)
        assert seen.size == (800, 15)


def test_a_data_set_with_its_worst_images(segments: Path) -> None:
    run, data = RunDirectory.open(segments / "run"), segments / "data"
    found = segment_database(run, data / "val_images", data / "val_labels")
    assert (found.count, found.snapshot, found.ignored) == (4, 12, 8)
    assert [each.name for each in found.classes] == ["ground", "car", "sky"]
    assert found.colors == ((0, 0, 0), (200, 100, 50), (0, 0, 255))
    assert sum(map(sum, found.confusion)) == 4 * 48 - 8
    ious = [each.mean_iou for each in found.worst]
    assert ious == sorted(ious)
    assert len(ious) == 4
    records = sets.records(data, "val")
    for each in found.worst:
        image, labels = records[each.name]
        np.testing.assert_array_equal(decode_image(each.image, ""), image)
        with Image.open(io.BytesIO(each.truth)) as picture:
            np.testing.assert_array_equal(np.asarray(picture), labels[0])
    (first, *_) = found.mistakes
    assert first.share == pytest.approx(
        first.pixels / sum(found.confusion[["ground", "car", "sky"].index(first.true)])
    )
    few = segment_database(run, data / "val_images", data / "val_labels", "best", 2)
    assert few.count == 2


def test_a_run_of_another_kind(gradients: Path, tmp_path: Path) -> None:
    run = slopes(gradients, tmp_path / "run")
    with pytest.raises(UsageError, match="run: its net has no output of a score for each class"):
        segment_image(run, gradients / "test.png")
