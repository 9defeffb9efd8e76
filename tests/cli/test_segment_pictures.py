"""Pictures of segmentations; tests/cli/test_infer.py has the command."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from protonet.cli.segment_pictures import SegmentPictures
from protonet.data.class_table import ClassTable
from protonet.jobs.evaluation.segmenter import Segmentation
from tests.data import segmentation_sets as sets

FOUND = Segmentation(np.array([[0, 1], [1, 1]], np.uint8), ClassTable.of(["a", "b", "c"]))


def test_only_classes_that_are_seen_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    segmenter: Any = SimpleNamespace(output="prob", of=lambda _: FOUND)
    answers = SegmentPictures(segmenter, None, 0.5)
    prediction: Any = SimpleNamespace(image=Path("x.png"))
    answers.print(prediction)
    assert capsys.readouterr().out.splitlines() == [
        "x.png: prob, classes of the pixels", "    75.00%  b", "    25.00%  a",
    ]  # fmt: skip
    told = answers.as_json(prediction)
    assert [(each["index"], each["share"]) for each in told["classes"]] == [
        (1, 0.75), (0, 0.25), (2, 0.0),
    ]  # fmt: skip
    assert "pictures" not in told


def test_pictures_of_images_of_one_name(tmp_path: Path) -> None:
    for folder in "xy":
        sets.write_image(tmp_path / folder / "1.png", 0)
    segmenter: Any = SimpleNamespace(output="prob", of=lambda _: FOUND)
    answers = SegmentPictures(segmenter, tmp_path, 0.5)
    for folder in "xy":
        prediction: Any = SimpleNamespace(image=tmp_path / folder / "1.png")
        answers.as_json(prediction)
    assert sorted(path.name for path in tmp_path.glob("*.png")) == [
        "1-2_labels.png", "1-2_overlay.png", "1_labels.png", "1_overlay.png",
    ]  # fmt: skip
