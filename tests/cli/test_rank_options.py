"""Options of several ranks: kept in the run's settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from protonet.cli import caffe_flags, train
from protonet.cli.app import app
from protonet.data.create import create_gradients
from protonet.jobs.run.directory import RunDirectory
from protonet.ranks.communicator import ALONE, Communicator
from tests.cli.test_schedule_options import NET, TRAIN


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path) -> Path:
    create_gradients(tmp_path / "data", 6, 4, 12, 4, seed=1)
    (tmp_path / "net.prototxt").write_text(NET)
    return tmp_path


def test_they_are_settings_of_the_run(protonet: Any, workplace: Path) -> None:
    found = protonet(
        "train", *TRAIN, "--epochs", 1, "--batch-size", 4, "--out", workplace / "run", "--quiet",
        "--mean", "none", "--sync-batch-norm",
        "--gradient-precision", "bfloat16",
    )  # fmt: skip
    assert (found.returncode, found.stderr) == (0, "")
    settings = RunDirectory.open(workplace / "run").record().settings
    assert settings.sync_batch_norm
    assert settings.gradient_precision == "bfloat16"


def test_several_gpus_are_ranks(monkeypatch: pytest.MonkeyPatch, workplace: Path) -> None:
    """Of a solver file each with the batch of the text; as many as --ranks says, if it does."""
    found: list[Any] = []

    def launched(_ctx: Any, wanted: int | None, _effects: Any) -> Communicator:
        found.append(wanted)
        return ALONE

    def chosen(_network: Any, _resume: Any, given: dict[str, Any]) -> list[Any]:
        found.append({name: given.get(name) for name in ("device", "batch_per_rank")})
        return []

    monkeypatch.setattr(caffe_flags, "_all_gpus", lambda: ["0", "1"])
    monkeypatch.setattr(train, "ranks_of", launched)
    monkeypatch.setattr(train, "choose_jobs", chosen)
    for arguments in (
        ["--solver", "s.prototxt", "--gpu", "0,1"],
        ["net.prototxt", "--data", "d", "--gpu", "all"],
        ["--resume", "run", "--gpu", "0,1", "--ranks", "2"],
        ["--solver", "s.prototxt", "--gpu", "1"],
    ):
        CliRunner().invoke(app, ["train", *arguments], catch_exceptions=False)
    assert found == [
        2, {"device": "cuda:0,1", "batch_per_rank": True},
        2, {"device": "cuda:0,1", "batch_per_rank": None},
        2, {"device": "cuda:0,1", "batch_per_rank": None},
        1, {"device": "cuda:1", "batch_per_rank": None},
    ]  # fmt: skip


def test_gpus_that_are_not_there_name_what_works(protonet: Any) -> None:
    found = protonet("train", "-solver", "solver.prototxt", "-gpu", "0,1")
    assert found.returncode == 6
    assert "error: " in found.stderr
    assert "on the CPU, --ranks 2 --batch-per-rank does the same; on one GPU" in found.stderr


def test_a_network_has_no_batch_of_each_rank(protonet: Any, workplace: Path) -> None:
    found = protonet("train", *TRAIN, "--batch-per-rank")
    assert found.returncode == 2
    assert "--batch-per-rank requires a solver file" in found.stderr
