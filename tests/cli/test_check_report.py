"""The report of check on weights, and as the JSON of the API."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protonet.data.create import create_gradients
from protonet.formats.caffemodel import write_weights
from protonet.jobs.checks.network_report import report_json
from protonet.web.datasets import Databases
from protonet.web.networks import CheckOptions, inspect_network
from protonet.web.workspace import Workspace
from tests.cli.test_schedule_options import NET, TRAIN


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path) -> Path:
    create_gradients(tmp_path / "data", 6, 4, 12, 4, seed=1)
    (tmp_path / "net.prototxt").write_text(NET)
    wrong = {"hidden": [np.zeros((5, 24)), np.zeros(5)], "fc8": [np.zeros(3)]}
    write_weights(tmp_path / "w.caffemodel", wrong)
    return tmp_path


def test_weights_are_compared(protonet: Any) -> None:
    found = protonet("check", *TRAIN, "--batch-size", 4, "--weights", "w.caffemodel")
    assert found.returncode == 0
    assert found.stderr.startswith(
        "w.caffemodel: the weights are of another net:\n  layer 'hidden'"
    )
    table = [line.split() for line in found.stdout.splitlines()[-3:]]
    assert table == [
        ["layer", "type", "weights", "found", "expected"],
        ["hidden", "InnerProduct", "differs", "5x24,", "5", "2x24,", "2"],
        ["fc8", "unused", "3"],
    ]


def test_a_run_may_have_the_weights(protonet: Any, workplace: Path) -> None:
    given = ("--epochs", 2, "--out", "run", "--quiet")
    assert protonet("train", *TRAIN, *given).returncode == 0
    for name in ("run", "run@best", "run@last", "run@1"):
        found = protonet("check", *TRAIN, "--weights", name)
        assert found.stdout.splitlines()[-1].split()[2] == "loaded", name
    found = protonet("check", *TRAIN, "--weights", "run@77")
    assert found.returncode == 2
    assert "no snapshot '77'; there are" in found.stderr
    tuned = protonet("train", *TRAIN, "--epochs", 1, "--out", "tuned", "--weights", "run@best")
    assert "layers loaded from" in tuned.stdout


def test_the_json_is_that_of_the_api(protonet: Any, workplace: Path) -> None:
    found = protonet("check", *TRAIN, "--batch-size", 4, "--weights", "w.caffemodel", "--json")
    assert found.returncode == 0
    options = CheckOptions(batch_size=4, weights=(workplace / "w.caffemodel",))
    data = Databases.of_folder(workplace / "data")
    report = inspect_network(NET, Workspace(workplace, (workplace,)), data, options)
    expected = report_json(report)
    assert expected["weights_error"].startswith("w.caffemodel: the weights are of another net")
    assert json.loads(found.stdout) == expected
    found = protonet("check", *TRAIN, "--json")
    note = "a batch of 16 has some of the 12 records of data/train_images more than once"
    assert json.loads(found.stdout)["notes"] == [f'layer "data": {note}']
    assert note in protonet("check", *TRAIN).stderr


def test_mistakes_as_json(protonet: Any, workplace: Path) -> None:
    (workplace / "net.prototxt").write_text(NET.replace("Power", "Powr", 1))
    found = protonet("check", *TRAIN, "--json")
    (mistake,) = json.loads(found.stdout)["mistakes"]
    assert (found.returncode, mistake["line"]) == (3, 1)
    assert "unknown layer type 'Powr'" in mistake["message"]
    missing = protonet("check", "net.prototxt", "--data", "nowhere", "--json")
    (mistake,) = json.loads(missing.stdout)["mistakes"]
    assert "nowhere" in mistake["message"]
    assert missing.returncode != 0


def test_a_training_that_takes_nothing_is_refused(protonet: Any, workplace: Path) -> None:
    write_weights(workplace / "w.caffemodel", {"fc8": [np.zeros(3)]})
    found = protonet("train", *TRAIN, "--out", "run", "--weights", "w.caffemodel")
    assert found.returncode != 0
    assert (
        "no layer of the network takes its weights; they are for layers named fc8" in found.stderr
    )
    assert not (workplace / "run").exists()
