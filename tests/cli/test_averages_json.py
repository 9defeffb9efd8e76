"""The figures of test as JSON: those that it prints, by the names of the API."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from protonet.data.create import create_gradients
from protonet.train.listeners import read_metrics
from tests.cli.test_schedule_options import NET, TRAIN, VALIDATE
from tests.jobs.nets import detector_run, segment_run


def told(protonet: Any, *options: Any) -> Any:
    found = protonet("test", "run", "--json", *options)
    assert found.returncode == 0, found.stderr
    return json.loads(found.stdout)


def last_test(folder: Path) -> Any:
    lines = read_metrics(folder / "run" / "metrics.jsonl")
    return [line for line in lines if line["event"] == "tested"][-1]


def test_vectors(protonet: Any, tmp_path: Path) -> None:
    create_gradients(tmp_path / "data", 6, 4, 12, 5, seed=1)
    (tmp_path / "net.prototxt").write_text(NET)
    given = ("--epochs", 2, "--batch-size", 5, "--out", "run", "--quiet")
    assert protonet("train", *TRAIN, *VALIDATE, *given).returncode == 0
    figures = told(protonet, "--worst", 1)
    assert (figures["count"], figures["loss"]) == (5, pytest.approx(last_test(tmp_path)["loss"]))
    assert figures["outputs"]["loss"] == pytest.approx(figures["loss"])
    (vectors,) = figures["vectors"]
    assert (vectors["name"], vectors["count"], len(vectors["worst"])) == ("loss", 5, 1)
    assert [each["name"] for each in vectors["components"]] == ["output[0]", "output[1]"]
    mean = sum(each["rmse"] ** 2 for each in vectors["components"]) / 2
    assert mean == pytest.approx(figures["loss"], rel=1e-4)
    assert not figures.keys() & {"segmentation", "detection"}


def test_pixels(protonet: Any, tmp_path: Path) -> None:
    segment_run(tmp_path)
    found = told(protonet)["segmentation"]
    assert found["mean_iou"] == pytest.approx(last_test(tmp_path)["outputs"]["mean_iou"], abs=1e-6)
    assert [each["name"] for each in found["classes"]] == ["ground", "car", "sky"]
    assert (found["count"], found["ignored"]) == (4, 8)


def test_boxes(protonet: Any, tmp_path: Path) -> None:
    detector_run(tmp_path)
    (found,) = told(protonet, "--threshold", 0.2)["detection"]
    assert [each["name"] for each in found["classes"]] == ["circle", "square", "triangle"]
    outputs = last_test(tmp_path)["outputs"]
    assert found["mean"]["coco"] == pytest.approx(outputs["eval/coco"], abs=1e-6)
