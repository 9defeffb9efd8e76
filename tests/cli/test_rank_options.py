"""Options of several ranks: kept in the run's settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from protonet.data.create import create_gradients
from protonet.jobs.run.directory import RunDirectory
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
