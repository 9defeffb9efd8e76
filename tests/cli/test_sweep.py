"""A sweep: a training for each rate and batch size, one after another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from protonet.data.create import create_gradients
from protonet.jobs.run.directory import RunDirectory
from protonet.jobs.run.settings import RunSettings
from tests.cli.test_schedule_options import NET, TRAIN, VALIDATE


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path) -> Path:
    create_gradients(tmp_path / "data", 6, 4, 12, 4, seed=1)
    (tmp_path / "net.prototxt").write_text(NET)
    return tmp_path


def test_a_run_for_each(protonet: Any, workplace: Path) -> None:
    found = protonet("train", *TRAIN, *VALIDATE, "--epochs", 1, "--lr", "0.1,0.01",
                     "--batch-size", "3,4", "--out", "sweep")  # fmt: skip
    assert found.returncode == 0, found.stderr
    folders = sorted(each.name for each in (workplace / "sweep").iterdir())
    assert folders == [f"lr-{rate}-batch-{size}" for rate in ("0.01", "0.1") for size in (3, 4)]
    settings = RunDirectory(workplace / "sweep" / "lr-0.1-batch-3").record().settings
    assert isinstance(settings, RunSettings)
    assert (settings.lr, settings.batch_size) == (0.1, 3)
    assert "training 4 of 4: lr 0.01 batch 4" in found.stderr
    table = found.stdout.splitlines()[-5:]
    assert table[0].split() == ["training", "loss", "best", "validation", "results"]
    assert [line.split()[-1] for line in table[1:]] == [
        f"sweep/lr-{rate}-batch-{size}" for rate in ("0.1", "0.01") for size in (3, 4)
    ]


def test_one_that_fails_ends_the_others_not(protonet: Any, workplace: Path) -> None:
    found = protonet("train", *TRAIN, "--epochs", 20, "--lr", "1e30,0.01", "--out", "sweep",
                     "--momentum", 0)  # fmt: skip
    assert found.returncode == 7
    assert "lr 1e+30: " in found.stderr
    assert RunDirectory(workplace / "sweep" / "lr-0.01").record().status == "done"
    assert RunDirectory(workplace / "sweep" / "lr-1e+30").record().status == "error"


def test_what_cannot_be(protonet: Any) -> None:
    found = protonet("train", *TRAIN, "--lr", "0.1,fast")
    assert found.returncode == 2
    assert "expected a number, or several with commas between them, got '0.1,fast'" in found.stderr
    found = protonet("train", *TRAIN, "--batch-size", "0")
    assert "batch size must be at least 1, got 0" in found.stderr
    rates = ",".join(str(0.01 + place / 1000) for place in range(101))
    assert (
        "101 trainings of one sweep; at most 100" in protonet("train", *TRAIN, "--lr", rates).stderr
    )
    found = protonet("train", "--resume", "run", "--lr", "0.1")
    assert "--resume cannot be combined with --lr" in found.stderr
