"""Boxes as text, as JSON and as pictures; tests/cli/test_infer.py has the command."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from protonet.cli.box_pictures import BoxPictures
from protonet.jobs.detection.detector import Detection, ImageDetections

CAR = Detection(7, "car", 0.75, (1.0, 2.5, 30.0, 40.0))
DOG = Detection(2, "dog", 0.25, (5.0, 6.0, 7.0, 8.0))


def answers(folder: Path | None, threshold: float = 0.5) -> BoxPictures:
    def detections(prediction: Any) -> ImageDetections:
        return ImageDetections(prediction.image, 50, 60, (CAR, DOG))

    detector: Any = SimpleNamespace(outputs=("found",), detections=detections)
    return BoxPictures(detector, folder, threshold)


def test_boxes_with_the_least_score(capsys: pytest.CaptureFixture[str]) -> None:
    prediction: Any = SimpleNamespace(image=Path("x.png"), size=(50, 60))
    answers(None).print(prediction)
    assert capsys.readouterr().out.splitlines() == [
        "x.png: found, 1 box with a score of 0.5 or more",
        "  0.7500      1.0     2.5    30.0    40.0  car",
    ]
    answers(None, 0.25).print(prediction)
    assert capsys.readouterr().out.splitlines()[0].endswith("2 boxes with a score of 0.25 or more")
    assert answers(None).as_json(prediction) == {
        "width": 60,
        "height": 50,
        "detections": [{"class": "car", "label": 7, "score": 0.75, "box": [1.0, 2.5, 30.0, 40.0]}],
    }


def test_pictures_of_images_of_one_name(tmp_path: Path) -> None:
    made = answers(tmp_path)
    for folder in "xy":
        (tmp_path / folder).mkdir()
        Image.new("RGB", (60, 50)).save(tmp_path / folder / "1.png")
        prediction: Any = SimpleNamespace(image=tmp_path / folder / "1.png", size=(50, 60))
        told = made.as_json(prediction)
    assert told["pictures"] == [str(tmp_path / "1-2_boxes.png")]
    assert sorted(path.name for path in tmp_path.glob("*.png")) == ["1-2_boxes.png", "1_boxes.png"]
