"""test, run as a user of Caffe runs it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protonet.cli.test_net import _print_vectors
from protonet.data.create import create_gradients
from protonet.formats.caffemodel import read_model, write_model
from protonet.jobs.evaluation.regression import VectorReport
from protonet.train.listeners import read_metrics
from tests.data import segmentation_sets as sets
from tests.jobs.nets import detector_run, segment_run

DIGITS = Path(__file__).parents[1] / "golden" / "digits"


@pytest.fixture(autouse=True)
def digits(tmp_path: Path) -> None:
    shutil.copytree(DIGITS, tmp_path, dirs_exist_ok=True)


def test_the_words_of_caffe(protonet: Any) -> None:
    given = ("-weights", "digits_iter_200.caffemodel", "-iterations", 3)
    found = protonet("test", "-model", "train_val.prototxt", *given)
    assert (found.returncode, found.stderr) == (0, "")
    lines = found.stdout.splitlines()
    assert [line.split(" = ")[0] for line in lines[:6]] == [
        f"Batch {index}, {name}" for index in range(3) for name in ("accuracy", "loss")
    ]
    assert lines[6].startswith("Loss: 0.")
    assert lines[7] == "accuracy = 0.882155"
    value = lines[6].removeprefix("Loss: ")
    assert lines[8] == f"loss = {value} (* 1 = {value} loss)"
    ours = protonet("test", "train_val.prototxt", "--weights", given[1], "--iterations", 3)
    assert ours.stdout == found.stdout
    alone = protonet("test", "train_val.prototxt", *given, "--no-fuse")
    assert alone.stdout == found.stdout
    rounded = protonet("test", "train_val.prototxt", *given, "--precision", "bfloat16")
    losses = [float(each.stdout.split("Loss: ")[1].split()[0]) for each in (found, rounded)]
    assert losses[1] != losses[0]
    assert losses[1] == pytest.approx(losses[0], rel=0.01)


def test_what_cannot_be(protonet: Any) -> None:
    for given, message in (
        ((), "give one network"),
        (("train_val.prototxt", "-weights", "nowhere"), "nowhere: cannot be read"),
        (("train_val.prototxt", "-iterations", 0), "0 is not in the range"),
    ):
        found = protonet("test", *given)
        assert found.returncode == 2
        assert message in found.stderr


def test_vectors(protonet: Any, tmp_path: Path) -> None:
    """The seed network that Caffe trained, on its validation images."""
    shutil.copytree(DIGITS.with_name("regression"), tmp_path, dirs_exist_ok=True)
    (weights,) = sorted(path.name for path in tmp_path.glob("*_iter_150.caffemodel"))
    given = ("train_val.prototxt", "-weights", weights, "-iterations", 2, "-stage", "val")
    found = protonet("test", *given, "--picture", "errors.png", "--worst", 1)
    assert (found.returncode, found.stderr) == (0, "")
    (x,) = [line.split() for line in found.stdout.splitlines() if line.startswith("output[0]")]
    assert float(x[1]) < 0.05
    assert 0.9 < float(x[3]) <= 1
    assert found.stdout.count(": error ") == 1
    assert found.stdout.splitlines()[-1] == "errors.png"
    assert (tmp_path / "errors.png").read_bytes().startswith(b"\x89PNG")


def test_weights_that_fit_no_layer_are_told(protonet: Any, tmp_path: Path) -> None:
    model = read_model(tmp_path / "digits_iter_200.caffemodel")
    (layer,) = [layer for layer in model.layer if layer.name == "ip2"]
    layer.name = "other"
    write_model(tmp_path / "old.caffemodel", model)
    found = protonet("test", "train_val.prototxt", "-weights", "old.caffemodel", "-iterations", 1)
    assert found.returncode == 0
    assert found.stderr == (
        "Ignoring source layer other\n"
        "old.caffemodel: no weights for ip2; these keep the values of their fillers\n"
    )


def test_a_picture_of_another_kind_is_refused_before_the_test(protonet: Any) -> None:
    given = ("test", "train_val.prototxt", "-weights", "digits_iter_200.caffemodel")
    found = protonet(*given, "--picture", "curves.txt")
    assert (found.returncode, found.stdout) == (2, "")
    assert "curves.txt: expected a picture of kind png, svg, pdf" in found.stderr


def test_of_many_components_the_first_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    true = np.arange(120.0).reshape(3, 40)
    _print_vectors(VectorReport("loss", "out", true + 0.5, true), 1)
    lines = capsys.readouterr().out.splitlines()
    rows = [line.split() for line in lines if line.startswith("out[")]
    assert [row[:2] for row in rows] == [[f"out[{at}]", "0.5"] for at in range(32)]
    assert lines[-2] == "and 8 other components, which --json prints"


@pytest.mark.parametrize("batch", [10, 8, 3, 64])
def test_each_record_counts_once(protonet: Any, tmp_path: Path, batch: int) -> None:
    """Whatever the batch: 20 records are 20 items, and their mean is theirs."""
    shutil.copytree(DIGITS.with_name("regression"), tmp_path, dirs_exist_ok=True)
    text = (tmp_path / "train_val.prototxt").read_text()
    (tmp_path / "net.prototxt").write_text(text.replace("batch_size: 10", f"batch_size: {batch}"))
    (weights,) = sorted(path.name for path in tmp_path.glob("*_iter_150.caffemodel"))
    given = ("-weights", weights, "-stage", "val")
    found = protonet("test", "net.prototxt", *given)
    assert (found.returncode, found.stderr) == (0, "each of 20 records once\n")
    assert "loss: 20 items" in found.stdout
    (loss,) = [line for line in found.stdout.splitlines() if line.startswith("Loss: ")]
    assert float(loss.split()[1]) == pytest.approx(9.80457e-06, rel=1e-4)
    caffe_s = protonet("test", "-model", "net.prototxt", *given, "-iterations", 3)
    assert (caffe_s.returncode, caffe_s.stderr) == (0, "")
    assert f"loss: {3 * batch} items" in caffe_s.stdout


SEED = """\
layer { name: "scale" type: "Power" bottom: "data" top: "scale" power_param { scale: 0.004 } }
layer { name: "ip" type: "InnerProduct" bottom: "scale" top: "ip"
  inner_product_param { num_output: 2 } }
layer { name: "loss" type: "EuclideanLoss" bottom: "ip" bottom: "label" top: "loss"
  exclude { stage: "deploy" } }
"""


def test_a_run_is_tested_as_it_was_validated(protonet: Any, tmp_path: Path) -> None:
    create_gradients(tmp_path / "data", 6, 4, 24, 5, seed=1)
    (tmp_path / "net.prototxt").write_text(SEED)
    train, val = (
        (f"--{prefix}data", f"data/{name}_images", f"--{prefix}labels", f"data/{name}_labels")
        for prefix, name in (("", "train"), ("val-", "val"))
    )
    given = ("--epochs", 2, "--batch-size", 5, "--out", "run", "--quiet")
    assert protonet("train", "net.prototxt", *train, *val, *given).returncode == 0
    lines = map(json.loads, (tmp_path / "run" / "metrics.jsonl").read_text().splitlines())
    tested = [line["loss"] for line in lines if line["event"] == "tested"]
    found = protonet("test", "run")
    assert found.returncode == 0
    assert found.stderr == "weights of iteration 10\neach of 5 records once\n"
    assert "loss: 5 items" in found.stdout
    loss = f"Loss: {tested[-1]:g}"
    assert loss in found.stdout.splitlines()
    again = protonet("test", "run", "--iterations", 2)
    assert again.stderr == "weights of iteration 10\n"
    assert "loss: 10 items" in again.stdout
    others = ("--data", "data/val_images", "--labels", "data/val_labels")
    assert loss in protonet("test", "run", "--snapshot", 10, *others).stdout.splitlines()
    rounded = protonet("test", "run", "--precision", "bfloat16").stdout
    assert loss not in rounded.splitlines()
    for words, message in (
        (("run", "--weights", "x"), "has its own weights; omit --weights (--snapshot"),
        (("net.prototxt", "--snapshot", "best"), "--snapshot requires a run directory"),
        (("data",), "data: not a run directory"),
        (("run", "--snapshot", 7), "no snapshot '7'; there are 5, 10, last and best"),
    ):
        refused = protonet("test", *words)
        assert (refused.returncode, "Traceback" in refused.stderr) == (2, False)
        assert message in refused.stderr


LUA = """
return function(p)
    local net = nn.Sequential():add(nn.View(-1):setNumInputDims(3))
    net:add(nn.Linear(64, p.nclasses or 10))
    return { model = net:add(nn.LogSoftMax()), validationBatchSize = 70 }
end
"""


def test_a_lua_text_is_tested_on_the_given_data(protonet: Any, tmp_path: Path) -> None:
    (tmp_path / "net").write_text(LUA)
    given = ("train", "net", "--data", "train_db", "--epochs", 1, "--mean", "none", "--out", "run")
    assert protonet(*given, "--lr", 0.001, "--quiet").returncode == 0
    (weights,) = Path(tmp_path, "run").glob("snapshot_*.caffemodel")
    found = protonet("test", "net", "--weights", weights, "--data", "test_db")
    assert found.returncode == 0, found.stderr
    assert "each of 297 records once" in found.stderr + found.stdout
    assert [line.split(",")[0] for line in found.stdout.splitlines()[:10:2]] == [
        f"Batch {index}" for index in range(5)
    ]
    of_run = protonet("test", "run", "--data", "test_db")
    assert found.stdout.splitlines()[-3:] == of_run.stdout.splitlines()[-3:]
    untrained = protonet("test", "net", "--data", "test_db")
    assert untrained.stdout.splitlines()[-3:] != of_run.stdout.splitlines()[-3:]
    timed = protonet("time", "net", "--iterations", 2)
    assert timed.returncode == 0, timed.stderr
    assert "Linear1" in timed.stdout
    for words, message in (
        (("net",), "net: is Lua, which names no data; give --data DB [--labels DB]"),
        (("train_val.prototxt", "--data", "test_db"), "--data requires a run directory, or Lua"),
        (("net", "--snapshot", "best"), "--snapshot requires a run directory"),
    ):
        refused = protonet("test", *words)
        assert refused.returncode == 2
        assert message in refused.stderr


def test_the_figures_of_a_segmentation(protonet: Any, tmp_path: Path) -> None:
    segment_run(tmp_path)
    found = protonet("test", "run", "--picture", "confusion.svg", "--worst", 2)
    assert found.returncode == 0, found.stderr
    assert "each of 4 records once" in found.stderr
    lines = found.stdout.splitlines()
    begin = lines.index("loss: 4 images, 8 pixels ignored")
    assert [line.split(" = ")[0] for line in lines[begin + 1 : begin + 5]] == [
        "mean IoU", "pixel accuracy", "mean class accuracy", "IoU weighted by pixels",
    ]  # fmt: skip
    assert lines[begin + 5].split() == ["class", "IoU", "accuracy", "precision", "pixels"]
    assert [line.split()[0] for line in lines[begin + 6 : begin + 9]] == ["ground", "car", "sky"]
    items = [re.fullmatch(r"item (\d) \((.+)\): mean IoU [\d.e-]+", line) for line in lines[-3:-1]]
    keys = list(sets.records(tmp_path / "data", "val"))
    assert [each and each[2] for each in items] == [each and keys[int(each[1])] for each in items]
    assert all(items)
    assert lines[-1] == "confusion.svg"
    assert "pixels correct" in (tmp_path / "confusion.svg").read_text()
    (tested,) = [
        line for line in read_metrics(tmp_path / "run" / "metrics.jsonl")
        if line["event"] == "tested" and line["iteration"] == 12
    ]  # fmt: skip
    share = float(lines[begin + 1].split(" = ")[1].rstrip("%"))
    assert tested["outputs"]["mean_iou"] == pytest.approx(share / 100, abs=1e-4)


def test_the_figures_of_a_detector(protonet: Any, tmp_path: Path) -> None:
    detector_run(tmp_path)
    found = protonet("test", "run", "--picture", "curves.svg", "--worst", 2, "--threshold", 0.2)
    assert found.returncode == 0, found.stderr
    assert "each of 5 records once" in found.stderr
    lines = found.stdout.splitlines()
    begin = next(at for at, line in enumerate(lines) if line.startswith("eval: 5 images, "))
    assert not [line for line in lines[:begin] if "eval" in line]
    figures = dict(line.strip().split(" = ") for line in lines[begin + 1 :] if " = " in line)
    assert [each.split()[0] for each in lines if each.startswith(("circle", "square", "all"))] == [
        "circle", "square", "all",
    ]  # fmt: skip
    assert lines[-1] == "curves.svg"
    assert "mean average precision" in (tmp_path / "curves.svg").read_text()
    tested = [
        line for line in read_metrics(tmp_path / "run" / "metrics.jsonl")
        if line["event"] == "tested"
    ][-1]  # fmt: skip
    outputs = tested["outputs"]
    integral = float(figures["mean average precision, integral"])
    assert outputs["eval"] == pytest.approx(integral, abs=1e-4)
    assert outputs["eval/coco"] == pytest.approx(
        float(figures["mean average precision, COCO 0.5:0.95"]), abs=1e-4
    )
