"""Tables of the figures of detectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.cli.box_tables import show_boxes
from protonet.jobs.evaluation.detection import DetectionReport
from protonet.train.metrics.boxes import FoundBoxes, TrueBoxes


def test_the_figures_of_each_class(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    found = FoundBoxes.of_rows(
        np.array([[0, 1, 0.9, 0, 0, 1, 1], [0, 1, 0.8, 0, 0, 0.1, 0.1], [1, 1, 0.7, 0, 0, 1, 1]])
    )
    truths = TrueBoxes.of_rows(
        np.array([[0, 1, 0, 0, 0, 1, 1, 0], [1, 1, 0, 0, 0, 1, 1, 0], [1, 2, 0, 0, 0, 1, 1, 0]])
    )
    report = DetectionReport("eval", ("", "car", "dog"), (1, 2, 3), found, truths, 2)
    show_boxes([report], 0.75, 5, tmp_path / "curves.png")
    lines = capsys.readouterr().out.splitlines()
    assert lines[:5] == [
        "",
        "eval: 2 images, 3 objects, overlap 0.5",
        "mean average precision, 11 points (VOC 2007) = 0.4242",
        "mean average precision, area (VOC since 2010) = 0.4167",
        "mean average precision, integral = 0.4167",
    ]
    assert [line.split() for line in lines[9:13]] == [
        ["car", "2", "0.8485", "0.8333", "0.8333", "0.8350", "0.5000", "0.5000"],
        ["dog", "1", "0.0000", "0.0000", "0.0000", "0.0000", "-", "0.0000"],
        ["class", "3", "0", "-", "-", "-", "-", "-", "-"],
        ["all", "3", "0.4242", "0.4167", "0.4167", "0.4175", "0.5000", "0.3333"],
    ]
    assert lines[13:] == [
        "precision and recall of boxes with a score of 0.75 or more",
        "1: 2 missed, 0 false alarms",
        "0: 0 missed, 1 false alarm",
        str(tmp_path / "curves.png"),
    ]
    assert (tmp_path / "curves.png").is_file()
