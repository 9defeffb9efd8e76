"""The best value of an output, by whether it should be high or low."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from protonet.jobs.comparison.best import Best, Way, best_values, read_curves, way_of
from protonet.jobs.run.directory import RunDirectory
from protonet.train.events import COCO


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("loss", "lowest"),
        ("accuracy_loss", "lowest"),
        ("accuracy", "highest"),
        ("loss3/top-5", "highest"),
        ("mean_iou", "highest"),
        ("pixel_accuracy", "highest"),
        ("detection_eval", "highest"),
        ("relative_error", "lowest"),
        ("output[0]", None),
    ],
)
def test_ways(name: str, way: Way | None) -> None:
    assert way_of(name) == way


def test_a_mean_average_precision_is_known_by_its_second_form() -> None:
    assert way_of("found", ["found", "found" + COCO]) == "highest"


def test_best_values() -> None:
    at = np.array([0.0, 10.0, 20.0, 30.0])
    curves = {
        "accuracy": (at, np.array([0.1, 0.9, np.nan, 0.5])),
        "loss": (at, np.array([np.nan, 0.25, 0.5, np.inf])),
        "output": (at, np.array([1.0, 3.0, 2.0, np.nan])),
        "nothing": (at, np.full(4, np.nan)),
    }
    assert best_values(curves) == {
        "accuracy": Best(0.9, 10, "highest"),
        "loss": Best(0.25, 10, "lowest"),
        "output": Best(2.0, 20, None),
    }


def test_curves_of_a_run(tmp_path: Path) -> None:
    lines = [
        {"event": "iterated", "iteration": 5, "epoch": 1, "loss": 2.0, "lr": 0.1, "outputs": {},
         "seconds": 1.0, "iterations": 5},
        {"event": "tested", "iteration": 5, "epoch": 1, "net": 0, "loss": 0.5,
         "outputs": {"loss": 0.5, "accuracy": 0.75, "y": [1.0, None]}},
        {"event": "tested", "iteration": 5, "epoch": 1, "net": 1, "loss": 9.0, "outputs": {}},
    ]  # fmt: skip
    run = RunDirectory(tmp_path)
    run.metrics.write_text("".join(json.dumps(line) + "\n" for line in lines))
    curves = read_curves(run)
    assert list(curves) == ["training loss", "validation loss", "accuracy", "y[0]", "y[1]"]
    assert {name: best.value for name, best in best_values(curves).items()} == {
        "training loss": 2.0, "validation loss": 0.5, "accuracy": 0.75, "y[0]": 1.0,
    }  # fmt: skip
