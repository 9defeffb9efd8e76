"""learning-rate, run in this process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from protonet.cli.app import app
from protonet.data.create import create_gradients
from protonet.errors import UsageError
from protonet.web.learning_rate import policy_curve
from protonet.web.training_form import CurveForm


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["learning-rate", *arguments])


def test_points_are_those_of_the_api() -> None:
    options = {"lr": 0.1, "lr_policy": "multistep", "gamma": 0.1, "warmup": 20, "epochs": 3,
               "batch_size": 7, "images": 300}  # fmt: skip
    words = [word for name, value in options.items()
             for word in (f"--{name.replace('_', '-')}", str(value))]  # fmt: skip
    found = json.loads(run(*words, "--step", "40,80", "--json").stdout)
    curve = policy_curve(CurveForm.model_validate({**options, "steps": [40, 80]}))
    assert (found["x"], found["points"]) == (curve.x, [list(each) for each in curve.points])


def test_a_table_with_a_column_for_each_rate(tmp_path: Path) -> None:
    create_gradients(tmp_path / "set", 8, 6, 60, 2, seed=1)
    data = str(tmp_path / "set" / "train_images")
    picture = tmp_path / "rate.svg"
    found = run("--lr", "0.5,0.25", "--lr-policy", "fixed", "--data", data, "--epochs", "4",
                "--batch-size", "1", "--picture", str(picture))  # fmt: skip
    head, *rows, last = found.stdout.splitlines()
    assert head.split() == ["iteration", "lr", "0.5", "lr", "0.25"]
    assert [row.split()[1:] for row in rows] == [["0.5", "0.25"]] * 21
    assert last == str(picture)
    both = json.loads(run("--lr", "0.5,0.25", "--json").stdout)
    assert [each["name"] for each in both] == ["lr 0.5", "lr 0.25"]
    assert both[0]["x"] == "epoch"


def test_a_solver_file(tmp_path: Path) -> None:
    path = tmp_path / "solver.prototxt"
    path.write_text('net: "n" base_lr: 0.5 lr_policy: "step" gamma: 0.5 stepsize: 2 max_iter: 4')
    rows = [line.split() for line in run(str(path)).stdout.splitlines()]
    assert rows[1:] == [["0", "0.5"], ["1", "0.5"], ["2", "0.25"], ["3", "0.25"]]
    refused = run(str(path), "--lr", "1", "--step", "50")
    assert isinstance(refused.exception, UsageError)
    assert "a solver file has its own schedule; omit --lr, --step" in str(refused.exception)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--images", "9", "--data", "db"], "--images and --data exclude each other"),
        (["--batch-size", "9"], "--batch-size needs the number of images: --images N or --data"),
        (["--warmup", "9"], "--warmup needs the number of images"),
        (["--step", "half"], "--step: expected percentages such as 33 or 50,75, got 'half'"),
        (["--picture", "rate.bmp"], "expected a picture of kind png, svg, pdf"),
        (["--epochs", "0"], "epochs"),
    ],
)
def test_wrong_use(words: list[str], message: str) -> None:
    refused = run(*words)
    assert isinstance(refused.exception, UsageError)
    assert message in str(refused.exception)
