"""Whole trainings of pasted networks: the run directory, and what is refused."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from protonet.data.database import Database
from protonet.data.datum import make_datum
from protonet.data.writer import DatabaseWriter
from protonet.errors import DataError, DeviceError, NetworkError, TrainingError, UsageError
from protonet.formats.caffemodel import read_weights
from protonet.jobs.inference.trained_run import Predictor
from protonet.jobs.run.directory import RunDirectory
from protonet.jobs.run.settings import RunSettings
from protonet.jobs.training.start import start
from protonet.train.listeners import read_metrics
from tests.jobs.nets import RANDOM, SEED, net_of, settings_of

GOLDEN = Path(__file__).parents[2] / "golden"


def test_a_run_directory_has_everything(gradients: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    outcome = start(net_of(SEED), settings_of(gradients, out))
    assert (outcome.result.iteration, outcome.notes) == (4, ())
    names = {path.name for path in out.iterdir()}
    assert names >= {
        "original.prototxt", "train_val.prototxt", "solver.prototxt", "deploy.prototxt",
        "mean.binaryproto", "metrics.jsonl", "train.log", "loss.png", "run.json",
        "snapshot_iter_2.caffemodel", "snapshot_iter_4.solverstate", "snapshot_iter_4.resume.json",
    }  # fmt: skip
    record = RunDirectory.open(out).record()
    assert (record.status, record.iteration) == ("done", 4)
    assert record.databases[0].sha256
    assert out.joinpath("original.prototxt").read_text() == SEED
    tested = [
        line["iteration"]
        for line in read_metrics(out / "metrics.jsonl")
        if line["event"] == "tested"
    ]
    assert tested == [0, 2, 4]


def test_fields_that_nothing_reads_are_told_once(gradients: Path, tmp_path: Path) -> None:
    outcome = start(net_of("reduce_buckets: 3\n" + SEED), settings_of(gradients, tmp_path / "run"))
    assert outcome.notes == ("reduce_buckets has no effect here",)


def test_the_mean_is_that_of_the_training_images(gradients: Path, tmp_path: Path) -> None:
    start(net_of(SEED), settings_of(gradients, tmp_path / "run"))
    made = tmp_path / "run" / "mean.binaryproto"
    assert made.read_bytes() == (gradients / "train_mean.binaryproto").read_bytes()


def test_without_a_name_runs_get_one_of_their_own(
    gradients: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    outcomes = [start(net_of(RANDOM), settings_of(gradients, None)) for _ in range(2)]
    names = [outcome.run.path.name for outcome in outcomes]
    assert all(re.match(r"random-\d{8}-\d{6}", name) for name in names)
    assert names[0] != names[1]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"labels": "absent"}, DataError, "there is no such database"),
        ({"mean": "absent.binaryproto"}, UsageError, "cannot be read"),
        ({"solver": "Adm"}, NetworkError, "Adam"),
        ({"lr_policy": "stp"}, NetworkError, "step"),
        ({"device": "gpu"}, DeviceError, "expected 'cpu'"),
    ],
)
def test_what_fails_before_training_leaves_no_directory(
    gradients: Path, tmp_path: Path, change: dict[str, Any], error: type[Exception], message: str
) -> None:
    change = {k: tmp_path / v if k == "labels" else v for k, v in change.items()}
    with pytest.raises(error, match=message):
        start(net_of(SEED), settings_of(gradients, tmp_path / "run", **change))
    assert not (tmp_path / "run").exists()


def test_a_mistake_in_the_network_points_into_the_pasted_text(
    gradients: Path, tmp_path: Path
) -> None:
    with pytest.raises(NetworkError, match=r"net\.prototxt:5:\d+: .*unknown bottom blob 'outputs'"):
        start(
            net_of(SEED.replace('bottom: "output"', 'bottom: "outputs"')),
            settings_of(gradients, tmp_path / "run"),
        )
    assert not (tmp_path / "run").exists()


def test_an_existing_directory_is_refused(gradients: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    with pytest.raises(UsageError, match="already exists"):
        start(net_of(SEED), settings_of(gradients, tmp_path))
    assert (tmp_path / "precious").exists()


def test_keys_without_a_partner_are_named(gradients: Path, tmp_path: Path) -> None:
    with Database(gradients / "train_labels") as labels, DatabaseWriter(tmp_path / "l") as fewer:
        for key, datum in labels:
            if key not in (b"7", b"12"):
                fewer.put(key, datum)
    with pytest.raises(DataError, match=r"lacks '12', '7'"):
        start(net_of(SEED), settings_of(gradients, tmp_path / "run", labels=tmp_path / "l"))


def test_a_diverging_run_stays_and_says_why(gradients: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="not a finite number"):
        start(net_of(SEED), settings_of(gradients, tmp_path / "run", lr=1e20, epochs=20.0))
    record = RunDirectory.open(tmp_path / "run").record()
    assert record.status == "error"
    assert "smaller learning rate" in str(record.error)


def classification(folder: Path) -> Path:
    with DatabaseWriter(folder) as writer:
        for index in range(12):
            image = np.full((1, 3, 4), 20 * (index % 3), np.uint8)
            writer.put(str(index).encode(), make_datum(image, label=index % 3))
    return folder


def test_classes_fill_an_open_num_output(tmp_path: Path) -> None:
    text = """
    layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
      inner_product_param { weight_filler { type: "xavier" } } }
    layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
    layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy"
      include { phase: TEST } }
    """
    data = classification(tmp_path / "db")
    outcome = start(
        net_of(text),
        RunSettings(data, val_data=data, epochs=3.0, out=tmp_path / "run", lr=0.001),
    )
    assert outcome.notes == (
        'not in deploy.prototxt, because they need labels: "loss", "accuracy"',
        "num_output was missing: set to the 3 classes of the data",
        f'layer "data": a batch of 16 has some of the 12 records of {data} more than once',
    )
    (weight, _) = read_weights(tmp_path / "run" / "snapshot_iter_3.caffemodel")["ip"]
    assert weight is not None
    assert weight.shape == (3, 12)


def test_names_of_classes_lie_beside_the_database(tmp_path: Path) -> None:
    text = """
    layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { } }
    layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss"
      exclude { stage: "deploy" } }
    layer { name: "softmax" type: "Softmax" bottom: "ip" top: "softmax"
      include { stage: "deploy" } }
    """
    data = classification(tmp_path / "db")
    (tmp_path / "labels.txt").write_text("black\ngray\nwhite\nnever\n")
    outcome = start(
        net_of(text), RunSettings(data, epochs=1.0, out=tmp_path / "run", lr=0.001, mean="none")
    )
    predictor = Predictor(outcome.run)
    assert predictor.class_names == ["black", "gray", "white", "never"]
    Image.new("L", (4, 3)).save(tmp_path / "x.png")
    (answer,) = predictor.predict([tmp_path / "x.png"])
    assert answer.outputs["softmax"].shape == (4,)
    assert answer.outputs["softmax"].sum() == pytest.approx(1)


def test_a_network_that_makes_its_own_data(gradients: Path, tmp_path: Path) -> None:
    text = """layer { name: "d" type: "DummyData" top: "data"
      dummy_data_param { shape { dim: 16 dim: 1 dim: 3 dim: 5 } } }"""
    with pytest.raises(NetworkError, match="produces 'data' itself"):
        start(net_of(text + SEED), settings_of(gradients, tmp_path / "run"))


def test_validation_layers_without_validation_are_told_of(gradients: Path, tmp_path: Path) -> None:
    settings = settings_of(
        gradients, tmp_path / "run", val_data=None, val_labels=None, accumulation=2
    )
    outcome = start(net_of(RANDOM), settings)
    assert outcome.notes == ('no --val-data, so no validation; removed: "data", "label"',)
    assert outcome.result.iteration == 8
    events_seen = {line["event"] for line in read_metrics(outcome.run.metrics)}
    assert events_seen == {"iterated", "snapshotted"}


def test_labels_that_were_forgotten_are_named(gradients: Path, tmp_path: Path) -> None:
    settings = settings_of(gradients, tmp_path / "run", labels=None, val_data=None, val_labels=None)
    with pytest.raises(NetworkError) as caught:
        start(net_of(SEED), settings)
    assert caught.value.__notes__ == [
        "without --labels, the label is the class number of each image; give a database of label "
        "vectors with --labels, or on the page a data set that has them"
    ]


def test_the_mean_is_told_of(gradients: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    start(
        net_of(SEED),
        settings_of(gradients, tmp_path / "run", mean=None),
        progress=lambda done, total: told.append((done, total)),
    )
    assert told == [(30, 30)]


def test_torch7_and_matplotlib_are_imported_where_they_are_used() -> None:
    """Each takes time of every training that needs none of them."""
    program = (
        "import sys, protonet.jobs.tasks.worker, protonet.jobs.training.start;"
        "print(sorted({'matplotlib', 'protonet.torch7'} & set(sys.modules)))"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert found.stdout == "[]\n"
