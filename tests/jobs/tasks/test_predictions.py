"""The task that predicts on many images."""

from __future__ import annotations

from pathlib import Path

import pytest

from protonet.errors import UsageError
from protonet.jobs.tasks.predictions import PredictImages
from protonet.jobs.tasks.task import read_task, write_task
from protonet.jobs.tasks.worker import do
from tests.web.trained import black_and_white, shades


def test_the_worker_keeps_the_predictions(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    database = black_and_white(tmp_path)
    run = shades(database, tmp_path / "run")
    task = PredictImages(run=run.path, images=database, most=5, folders=(tmp_path,))
    assert read_task(write_task(task), "task") == task
    (tmp_path / "made").mkdir()
    assert do(task, tmp_path / "made") == 0
    assert capfd.readouterr().out == "predicted: 5 images\n"
    assert (tmp_path / "made" / "predictions.json").exists()


def test_files_outside_of_the_folders(tmp_path: Path) -> None:
    run = shades(black_and_white(tmp_path), tmp_path / "run")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "list.txt").write_text("/etc/hostname\n")
    task = PredictImages(
        run=run.path, images=tmp_path / "in" / "list.txt", folders=(tmp_path / "in",)
    )
    with pytest.raises(UsageError, match="/etc/hostname: outside of the folders"):
        task.predict(tmp_path, lambda _, __: None)
