"""export-onnx: nets, runs, and what cannot be."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from protonet.torch7 import serial

ROOT = Path(__file__).parents[2]
TORCH = Path(__file__).parents[1] / "golden_torch7" / "trainings" / "regression" / "model.t7"
DIGITS = ROOT / "tests" / "golden" / "digits"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "examples" / "pycaffe" / "deploy.prototxt", tmp_path)
    shutil.copy(DIGITS / "digits_iter_200.caffemodel", tmp_path / "net.caffemodel")
    return tmp_path


def test_a_net_with_its_weights(protonet: Any, folder: Path) -> None:
    found = protonet("export-onnx", "deploy.prototxt", "--weights", "net.caffemodel")
    assert (found.returncode, found.stdout, found.stderr) == (0, "deploy.onnx\n", "")
    session = onnxruntime.InferenceSession(folder / "deploy.onnx")
    (given,), (made,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.shape) == ("data", ["N", 1, 8, 8])
    assert (made.name, made.shape) == ("prob", ["N", 10])
    (scores,) = session.run(None, {"data": np.zeros((3, 1, 8, 8), np.float32)})
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-5)


def test_without_weights_and_with_a_batch(protonet: Any, folder: Path) -> None:
    found = protonet("export-onnx", "deploy.prototxt", "out.onnx", "--batch", 4)
    assert found.returncode == 0
    assert "no --weights: the model has the initial values of the fillers" in found.stderr
    (given,) = onnxruntime.InferenceSession(folder / "out.onnx").get_inputs()
    assert given.shape == [4, 1, 8, 8]


def test_a_run(protonet: Any, folder: Path) -> None:
    """The model says of an image, as the net was given it, what infer says."""
    assert protonet("create-db", "gradients", "data", "-x", 8, "-y", 9, "-c", 20).returncode == 0
    given = ("--data", "data/train_images", "--labels", "data/train_labels")
    net = ROOT / "examples" / "prototxt" / "gradients" / "net.prototxt"
    done = protonet("train", net, *given, "--epochs", 1, "--out", "run", "--batch-size", 5)
    assert done.returncode == 0, done.stderr
    found = protonet("export-onnx", "run", "--snapshot", "last")
    assert (found.returncode, found.stdout) == (0, "run.onnx\n"), found.stderr
    (inputs,) = onnxruntime.InferenceSession(folder / "run.onnx").get_inputs()
    assert inputs.shape == ["N", 1, 9, 8]
    refused = protonet("export-onnx", "run", "--weights", "net.caffemodel")
    assert refused.returncode == 2
    assert "choose with --snapshot" in refused.stderr


def test_a_net_that_reads_databases(protonet: Any, folder: Path) -> None:
    """Without its data layers and losses it is the net that is deployed."""
    net = DIGITS / "train_val.prototxt"
    given = ("export-onnx", net, "out.onnx", "--weights", "net.caffemodel", "--input")
    found = protonet(*given, "1x8x8")
    assert found.returncode == 0, found.stderr
    session = onnxruntime.InferenceSession(folder / "out.onnx")
    assert session.get_inputs()[0].shape == ["N", 1, 8, 8]
    assert [each.name for each in session.get_outputs()] == ["ip2"]
    refused = protonet(*given, "8x8")
    assert refused.returncode == 2
    assert "such as 3x224x224" in refused.stderr


def test_what_cannot_be(protonet: Any, folder: Path) -> None:
    found = protonet("export-onnx", DIGITS / "train_val.prototxt")
    assert found.returncode == 3, found.stderr
    assert 'layer "digits" (Data) has no place in ONNX: it reads data by itself' in found.stderr
    assert "^" in found.stderr
    assert "Traceback" not in found.stderr
    assert not list(folder.glob("*.onnx"))
    found = protonet("export-onnx", "missing.prototxt")
    assert found.returncode == 2
    (folder / "empty").mkdir()
    assert protonet("export-onnx", "empty").returncode == 2


def test_the_library_is_asked_for_by_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from protonet.cli import main

    monkeypatch.setitem(__import__("sys").modules, "protonet.onnx.export", None)
    assert main(["export-onnx", "deploy.prototxt"]) == 2
    assert "pip install 'protonet[onnx]'" in capsys.readouterr().err


def test_a_model_of_torch7(protonet: Any, tmp_path: Path) -> None:
    model = serial.read(TORCH).fields["modules"][3].fields
    found = protonet("export-onnx", TORCH, "net.onnx", "--input", "1x50x50")
    assert (found.returncode, found.stderr) == (0, "")
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx")
    x = np.random.default_rng(1).normal(size=(2, 1, 50, 50)).astype(np.float32)
    (y,) = session.run(None, {"data": x})
    expected = 0.004 * x.reshape(2, 2500) @ model["weight"].array.T + model["bias"].array
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-6)
