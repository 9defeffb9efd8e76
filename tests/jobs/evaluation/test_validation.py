"""A run's net on its validation data and on others: the figures of the training itself."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from protonet.data.create import create_gradients
from protonet.errors import DataError, UsageError
from protonet.jobs.evaluation.full_dataset import Averages, average_set
from protonet.jobs.evaluation.validation import Evaluated, evaluated
from protonet.jobs.inference.open_net import open_net
from protonet.jobs.run.directory import RunDirectory
from protonet.jobs.run.settings import SolverSettings
from protonet.jobs.training.start import start, start_solver
from tests.jobs.nets import RANDOM, SEED, net_of, settings_of


def averages(found: Evaluated) -> Averages:
    return average_set(
        lambda size: open_net(found.definition, replace(found.net_options, batch_size=size)),
        50,
        lambda *_: None,
        once=True,
    )


@pytest.fixture(scope="module")
def trained(gradients: Path, tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """With a crop and chance in training, a mean, averaged weights: validated on 10 images."""
    out = tmp_path_factory.mktemp("trained") / "run"
    return start(net_of(RANDOM), settings_of(gradients, out, average=0.9)).run


def test_the_figures_are_those_of_the_validation(trained: RunDirectory) -> None:
    figures = trained.figures()
    for snapshot in ("best", "last", 8):
        found = evaluated(trained, snapshot)
        measured = averages(found)
        assert measured.loss == pytest.approx(figures[found.iteration], rel=1e-6)
        assert (measured.length, len(measured.reports[0].true)) == (10, 10)
    assert evaluated(trained).notes == ("weights of iteration 16",)


def test_other_databases(trained: RunDirectory, gradients: Path) -> None:
    own = averages(evaluated(trained))
    val = averages(evaluated(trained, "last", gradients / "val_images", gradients / "val_labels"))
    assert val.loss == own.loss
    train = averages(
        evaluated(trained, "last", gradients / "train_images", gradients / "train_labels")
    )
    assert train.length == 30
    assert train.loss != own.loss


def test_a_run_without_validation(gradients: Path, tmp_path: Path) -> None:
    """Its training's data layers read the others, and nothing of them is left to chance."""
    given: dict[str, Any] = {"mean": "none", "batch_size": 5}
    val = {"val_data": None, "val_labels": None}
    run = start(net_of(SEED), settings_of(gradients, tmp_path / "run", **given, **val)).run
    with pytest.raises(UsageError, match="has no validation data; give a database to test"):
        evaluated(run)
    found = averages(evaluated(run, "last", gradients / "val_images", gradients / "val_labels"))
    both = start(net_of(SEED), settings_of(gradients, tmp_path / "both", **given)).run
    assert found.loss == pytest.approx(both.figures()[12], rel=1e-6)


@pytest.mark.parametrize(
    ("data", "labels", "error", "message"),
    [
        (None, "val_labels", UsageError, "--labels goes with --data"),
        ("val_images", None, UsageError, "of their own; give that of .*val_images with --labels"),
        ("val_labels", "val_images", DataError, "they look swapped"),
        ("nowhere", "val_labels", DataError, "there is no such database"),
    ],
)
def test_databases_that_do_not_fit(
    trained: RunDirectory,
    gradients: Path,
    data: str | None,
    labels: str | None,
    error: type[Exception],
    message: str,
) -> None:
    given = [None if name is None else gradients / name for name in (data, labels)]
    with pytest.raises(error, match=message):
        evaluated(trained, "last", *given)


def test_images_of_another_size(gradients: Path, tmp_path: Path) -> None:
    run = start(net_of(SEED), settings_of(gradients, tmp_path / "run")).run
    create_gradients(tmp_path / "small", 9, 8, 4, 2)
    given = (tmp_path / "small" / "train_images", tmp_path / "small" / "train_labels")
    with pytest.raises(DataError, match=r"images are 1x8x9 .*learned from 1x17x20; make a data"):
        evaluated(run, "last", *given)
    with pytest.raises(UsageError, match="no snapshot '3'; there are 2, 4, last and best"):
        evaluated(run, 3)


def test_a_run_that_moved_without_its_data(gradients: Path, tmp_path: Path) -> None:
    """Its mean is its own copy; its databases are asked for."""
    data = tmp_path / "data"
    shutil.copytree(gradients, data)
    run = start(net_of(SEED), settings_of(data, tmp_path / "run")).run
    expected = averages(evaluated(run)).loss
    shutil.move(run.path, tmp_path / "moved")
    data.rename(tmp_path / "away")
    moved, away = RunDirectory.open(tmp_path / "moved"), tmp_path / "away"
    with pytest.raises(DataError, match=r"val_images: .* no longer exists; give .* with --data"):
        evaluated(moved)
    assert averages(evaluated(moved, "last", away / "val_images", away / "val_labels")).loss == (
        expected
    )


def test_a_run_of_a_solver_file(gradients: Path, tmp_path: Path) -> None:
    """Its first test net counts; labels in the records need no database."""
    source = f'source: "{gradients}/val_images" batch_size: 4'
    (tmp_path / "net.prototxt").write_text(
        f'layer {{ name: "data" type: "Data" top: "data" top: "label" data_param {{ {source} }} }}'
        'layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" '
        "inner_product_param { num_output: 2 } }"
        'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }'
    )
    (tmp_path / "solver.prototxt").write_text(
        f'net: "{tmp_path}/net.prototxt" base_lr: 1e-5 lr_policy: "fixed" max_iter: 2 '
        f'test_iter: 5 test_iter: 1 test_interval: 2 snapshot_prefix: "{tmp_path}/s"'
    )
    given: dict[str, Any] = {"out": tmp_path / "run"}
    run = start_solver(tmp_path / "solver.prototxt", SolverSettings(**given)).run
    found = evaluated(run)
    assert found.notes == ("weights of iteration 2", "the first of the run's 2 test nets")
    measured = averages(found)
    # test_iter times batch_size is twice the set: the same mean
    assert measured.loss == pytest.approx(run.figures()[2], rel=1e-5)
    assert measured.length == 10
    with pytest.raises(UsageError, match="from the records of its images; omit --labels"):
        evaluated(run, "last", gradients / "val_images", gradients / "val_labels")
