"""The example networks: each goes the whole way on a few images."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from protonet.data.datum import encode_image, make_datum
from protonet.data.writer import DatabaseWriter
from protonet.formats.caffemodel import read_weights
from protonet.jobs.inference import Predictor
from protonet.jobs.settings import RunSettings
from protonet.jobs.training import start
from protonet.proto.text import Source, read_net
from protonet.train.listeners import read_metrics

EXAMPLES = Path(__file__).parents[1] / "examples" / "prototxt"
CLASSIFIERS = {"lenet": (1, 28, 28), "squeezenet": (3, 227, 227)}


def test_every_example_is_run_and_has_a_readme() -> None:
    names = {path.name for path in EXAMPLES.iterdir()}
    assert names == {"gradients", *CLASSIFIERS}
    assert all((EXAMPLES / name / "README.md").exists() for name in names)


@pytest.mark.parametrize("name", sorted(CLASSIFIERS))
def test_a_classifier_trains_and_answers(name: str, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    with DatabaseWriter(tmp_path / "db") as database:
        for index in range(4):
            image = generator.integers(0, 256, CLASSIFIERS[name], np.uint8)
            database.put(str(index).encode(), make_datum(image, label=index % 3))
    settings = RunSettings(
        tmp_path / "db",
        val_data=tmp_path / "db",
        epochs=2.0,
        batch_size=2,
        lr=0.001,
        mean="none",
        out=tmp_path / "run",
    )
    outcome = start(read_net(Source.read(EXAMPLES / name / "net.prototxt")), settings)
    tested = [line for line in read_metrics(outcome.run.metrics) if line["event"] == "tested"]
    assert [line["iteration"] for line in tested] == [0, 2, 4]
    assert all(0 <= line["outputs"]["accuracy"] <= 1 for line in tested)
    (tmp_path / "x.png").write_bytes(encode_image(image))
    (answer,) = Predictor(outcome.run).predict([tmp_path / "x.png"])
    assert answer.outputs["softmax"].sum() == pytest.approx(1, abs=1e-4)


SCRIPTS = Path(__file__).parents[1] / "examples" / "pycaffe"
DIGITS = Path(__file__).parent / "golden" / "digits"


def run_script(name: str, *arguments: object) -> str:
    """What a script prints."""
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / name), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_net_surgery(tmp_path: Path) -> None:
    weights = DIGITS / "digits_iter_200.caffemodel"
    nets = SCRIPTS / "deploy.prototxt", SCRIPTS / "full_conv.prototxt"
    printed = run_script("net_surgery.py", *nets, weights, tmp_path / "wide.caffemodel")
    assert "ip1: (32, 16) -> ip1-conv: (32, 16, 1, 1)" in printed
    (difference,) = re.findall(r"small image: (\S+)", printed)
    assert float(difference) < 1e-6
    assert "image: 5x7" in printed
    assert set(read_weights(tmp_path / "wide.caffemodel")) >= {"conv1", "ip1-conv", "ip2-conv"}


def test_features_are_extracted(tmp_path: Path) -> None:
    """The accuracy is that of Caffe's log for these weights."""
    weights = DIGITS / "digits_iter_200.caffemodel"
    out = tmp_path / "features.npz"
    printed = run_script(
        "extract_features.py", SCRIPTS / "deploy.prototxt", weights, DIGITS / "test_db", out
    )
    assert "297 images, 32 features each, 0.882 right" in printed
    assert np.load(out)["features"].shape == (297, 32)


def test_lenet_by_hand() -> None:
    printed = run_script("lenet.py", DIGITS / "train_db", DIGITS / "test_db")
    (accuracy,) = re.findall(r"test accuracy (\S+)", printed)
    assert float(accuracy) > 0.95
