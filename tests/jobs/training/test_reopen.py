"""Runs whose databases moved or changed."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from protonet.data.datum import make_datum
from protonet.data.writer import DatabaseWriter
from protonet.errors import DataError, UsageError
from protonet.jobs.run.directory import RunDirectory
from protonet.jobs.run.settings import RunSettings, SolverSettings
from protonet.jobs.training.reopen import reopen
from protonet.jobs.training.resume import ResumeOptions, resume
from protonet.jobs.training.start import start, start_solver
from tests.jobs.nets import SEED, net_of, settings_of


@pytest.fixture
def stopped(gradients: Path, tmp_path: Path) -> tuple[RunDirectory, Path]:
    """A run without its last snapshot, and the folder of its data."""
    data = tmp_path / "data"
    shutil.copytree(gradients, data)
    run = start(net_of(SEED), settings_of(data, tmp_path / "run", epochs=4.0)).run
    for path in run.path.glob("*_iter_8.*"):
        path.unlink()
    return run, data


@pytest.mark.parametrize(
    ("name", "option"), [("train_images", "--data"), ("val_labels", "--val-labels")]
)
def test_a_moved_database_names_the_option(
    stopped: tuple[RunDirectory, Path], name: str, option: str
) -> None:
    run, data = stopped
    (data / name).rename(data / "elsewhere")
    with pytest.raises(DataError, match=rf"{name}: .* no longer exists; give .* with {option}$"):
        resume(run.path)


def test_a_run_finds_moved_databases_again(stopped: tuple[RunDirectory, Path]) -> None:
    run, data = stopped
    away = data.rename(data.with_name("away"))
    moved = {
        "data": away / "train_images",
        "labels": away / "train_labels",
        "val_data": away / "val_images",
        "val_labels": away / "val_labels",
    }
    outcome = resume(run.path, ResumeOptions(moved=moved))
    assert outcome.notes == ("resumed at iteration 6",)
    assert str(data) + "/" not in run.train_val.read_text()
    settings = run.record().settings
    assert isinstance(settings, RunSettings)
    assert settings.val_labels == away / "val_labels"
    assert reopen(run).notes == ()


def test_a_database_that_the_run_never_had(gradients: Path, tmp_path: Path) -> None:
    settings = settings_of(gradients, tmp_path / "run", val_data=None, val_labels=None)
    run = start(net_of(SEED), settings).run
    with pytest.raises(UsageError, match="was trained without --val-data"):
        reopen(run, {"val_data": gradients / "val_images"})


def test_a_changed_database_is_told_of(stopped: tuple[RunDirectory, Path]) -> None:
    run, data = stopped
    assert reopen(run).notes == ()
    shutil.rmtree(data / "val_labels")
    with DatabaseWriter(data / "val_labels") as writer:
        for index in range(10):
            slopes = np.zeros((1, 1, 2), np.float32)
            writer.put(str(index).encode(), make_datum(slopes))
    assert reopen(run).notes == (
        f"{data / 'val_labels'} has changed since the run began, so the result may differ",
    )


def test_databases_of_solver_files_are_named_in_the_text(
    gradients: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(gradients, tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    Path("net.prototxt").write_text(
        'layer { name: "data" type: "Data" top: "data" top: "label" '
        'data_param { source: "data/train_images" batch_size: 3 } }'
        'layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" '
        "inner_product_param { num_output: 1 } }"
        'layer { name: "loss" type: "EuclideanLoss" bottom: "ip" bottom: "label" top: "loss" }'
    )
    Path("solver.prototxt").write_text(
        'net: "net.prototxt" base_lr: 0 lr_policy: "fixed" max_iter: 2'
    )
    run = start_solver(Path("solver.prototxt"), SolverSettings(out=Path("run"))).run
    with pytest.raises(UsageError, match=r"so it takes no --data; correct .* run/train_val\.proto"):
        reopen(run, {"data": Path("data")})
    shutil.rmtree("data")
    with pytest.raises(DataError, match=r"no longer exists; correct its source in run/train_val"):
        reopen(run)
