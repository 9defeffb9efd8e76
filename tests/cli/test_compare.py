"""compare, run as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from protonet.jobs.run.directory import RunDirectory
from protonet.jobs.run.record import RunRecord
from protonet.jobs.run.settings import RunSettings


def make_run(path: Path, lr: float, loss: float) -> None:
    path.mkdir()
    run = RunDirectory(path)
    run.write(RunRecord(settings=RunSettings(Path("/data"), lr=lr), prefix="snapshot"))
    line = {"event": "tested", "iteration": 40, "epoch": 1.0, "net": 0, "loss": loss,
            "outputs": {"loss": loss, "accuracy": 1 - loss / 2}}  # fmt: skip
    run.metrics.write_text(json.dumps(line) + "\n")


def test_the_table_of_two_runs(protonet: Any, tmp_path: Path) -> None:
    make_run(tmp_path / "a", 0.1, 0.5)
    make_run(tmp_path / "b", 0.01, 0.25)
    found = protonet("compare", "a", "b", "--sort", "accuracy", "--csv", "runs.csv")
    assert found.returncode == 0, found.stderr
    assert [line.split() for line in found.stdout.splitlines()] == [
        ["run", "lr", "validation", "loss", "accuracy"],
        ["b", "0.01", "0.25*", "(40)", "0.875*", "(40)"],
        ["a", "0.1", "0.5", "(40)", "0.75", "(40)"],
        ["runs.csv"],
    ]
    assert (tmp_path / "runs.csv").read_text().splitlines()[1] == "b,0.01,0.25,40,0.875,40"


def test_wrong_use(protonet: Any, tmp_path: Path) -> None:
    make_run(tmp_path / "a", 0.1, 0.5)
    found = protonet("compare", "a", "--sort", "acuracy")
    assert found.returncode == 2
    assert (
        "no such column; there are run, validation loss, accuracy; did you mean 'accuracy'?"
        in found.stderr
    )
    found = protonet("compare", "nowhere")
    assert (found.returncode, found.stdout) == (2, "")
    assert "nowhere: no such run directory" in found.stderr
