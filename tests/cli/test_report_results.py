"""Results of detectors and segmentations image by image: those that the API tells."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from protonet.cli.app import app
from protonet.cli.report_results import predicts_maps_or_boxes
from protonet.errors import UsageError
from protonet.jobs.predictions.predict import predict_all
from protonet.jobs.predictions.summary import read_predictions
from protonet.jobs.run.directory import RunDirectory
from protonet.web.forms import ImagesQuery
from protonet.web.results.listing import image_page, page_json
from tests.jobs.nets import detector_run, segment_run


def run(folder: Path, *words: str) -> Result:
    given = [word if word.startswith(("--", "0")) else str(folder / word) for word in words]
    return CliRunner().invoke(app, ["test", str(folder / "run"), *given])


def of_the_api(folder: Path, labels: str | None = None, **query: Any) -> list[dict[str, Any]]:
    made, data = folder / "made", folder / "data"
    if not made.exists():
        made.mkdir()
        pair = data / "val_images", None if labels is None else data / labels
        predict_all(RunDirectory.open(folder / "run"), made, *pair)
    found = read_predictions(made)
    page = page_json(found, image_page(found, ImagesQuery(count=200, **query)))
    images = json.loads(json.dumps(page))["images"]
    return [{key: each[key] for key in each if not key.endswith("png")} for each in images]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_boxes(tmp_path: Path) -> None:
    detector_run(tmp_path)
    assert predicts_maps_or_boxes(tmp_path / "run")
    found = run(tmp_path, "--answers", "all.jsonl", "--wrong", "wrong.jsonl", "--threshold", "0.2")
    assert found.exit_code == 0, found.output
    assert "all.jsonl: 5 images" in found.stderr
    assert lines(tmp_path / "all.jsonl") == of_the_api(tmp_path, threshold=0.2)
    assert lines(tmp_path / "wrong.jsonl") == of_the_api(tmp_path, threshold=0.2, order="worst")
    refused = run(tmp_path, "--confusion", "c.csv")
    assert isinstance(refused.exception, UsageError)
    assert "--confusion needs classes" in str(refused.exception)


def test_pixels(tmp_path: Path) -> None:
    segment_run(tmp_path)
    files = ("--answers", "all.jsonl", "--wrong", "wrong.csv", "--confusion", "c.csv")
    found = run(tmp_path, *files, "--json")
    told = json.loads(found.stdout)["segmentation"]
    answers = lines(tmp_path / "all.jsonl")
    assert answers == of_the_api(tmp_path, "val_labels")
    worst = [line.split(",") for line in (tmp_path / "wrong.csv").read_text().splitlines()[1:]]
    expected = of_the_api(tmp_path, order="worst")
    assert [(name, float(iou)) for name, iou, _ in worst] == [
        (each["image"], pytest.approx(each["mean_iou"])) for each in expected
    ]
    head, *rows = [line.split(",") for line in (tmp_path / "c.csv").read_text().splitlines()]
    assert head == ["true", "ground", "car", "sky"]
    right = sum(int(row[1 + place]) for place, row in enumerate(rows))
    assert right / (4 * 48 - told["ignored"]) == pytest.approx(told["pixel_accuracy"])


def test_other_runs(tmp_path: Path) -> None:
    assert not predicts_maps_or_boxes(None)
    assert not predicts_maps_or_boxes(tmp_path)
