"""What a trained segmentation says of an image."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from protonet.data.datum import decode_image
from protonet.errors import UsageError
from protonet.jobs.run.directory import RunDirectory
from protonet.web.results.segmentation import segment_image
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


def test_a_run_of_another_kind(gradients: Path, tmp_path: Path) -> None:
    run = slopes(gradients, tmp_path / "run")
    with pytest.raises(UsageError, match="run: its net has no output of a score for each class"):
        segment_image(run, gradients / "test.png")
