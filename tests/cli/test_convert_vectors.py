"""convert-vectors, run as a user runs it: from a CSV to an answer."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protonet.data.create import gradient_image
from protonet.data.database import Database
from protonet.data.datum import encode_image

NET = """
layer { name: "scale" type: "Power" bottom: "data" top: "scale" power_param { scale: 0.004 } }
layer { name: "hidden" type: "InnerProduct" bottom: "scale" top: "output"
  inner_product_param { num_output: 2 } }
layer { name: "loss" type: "EuclideanLoss" bottom: "output" bottom: "label" top: "loss"
  exclude { stage: "deploy" } }
"""


def test_from_a_csv_to_an_answer(protonet: Any, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    lines = ["image,x,y"]
    for index, (x, y) in enumerate(np.random.default_rng(1).random((60, 2)) - 0.5):
        (tmp_path / "images" / f"{index}.png").write_bytes(
            encode_image(gradient_image(20, 20, x, y))
        )
        lines.append(f"{index}.png,{x},{y}")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "test.png").write_bytes(encode_image(gradient_image(20, 20, 0.5, 0.5)))
    made = protonet("convert-vectors", "labels.csv", "data", "--root", "images", "--val-share", 0.2)
    assert (made.returncode, made.stderr) == (0, "")
    assert made.stdout.splitlines() == [
        "data/train_images, _labels: 48 images",
        "data/val_images, _labels: 12 images",
        "2 number(s) a label (x, y); next:",
        "  protonet train NETWORK.prototxt --data data/train_images --labels data/train_labels "
        "--val-data data/val_images --val-labels data/val_labels",
    ]
    words = made.stdout.splitlines()[-1].replace("NETWORK", "net").split()[1:]
    trained = protonet(*words, "--batch-size", 8, "--epochs", 60, "--lr", 0.1, "--out", "run")
    assert trained.returncode == 0, trained.stderr
    answer = protonet("infer", "run", "test.png").stdout
    found = np.array(answer.split("[")[1].rstrip("]\n").split(), float)
    np.testing.assert_allclose(found, 0.5, atol=0.05)


def test_what_cannot_be(protonet: Any, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("0.png,1\n")
    for given, code, message in (
        (("labels.csv", "data"), 4, "labels.csv:1: 0.png: cannot be read: No such file"),
        (("nowhere.csv", "data"), 4, "nowhere.csv: cannot be read as CSV"),
        (("labels.csv", "data", "--width", 5), 2, "--width and --height go together"),
        (("labels.csv", "data", "--val-share", 1), 2, "1"),
    ):
        found = protonet("convert-vectors", *given)
        assert found.returncode == code
        assert message in found.stderr
        assert not (tmp_path / "data").exists()


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """A table of 400 rows, whose images take a while."""
    (tmp_path / "images").mkdir()
    generator = np.random.default_rng(1)
    for index in range(8):
        image = generator.integers(0, 256, (3, 200, 230), np.uint8)
        (tmp_path / "images" / f"{index}.png").write_bytes(encode_image(image))
    rows = generator.random((400, 2))
    lines = [f"{index % 8}.png,{x},{y}" for index, (x, y) in enumerate(rows)]
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    return tmp_path


SIZE = ("--width", 110, "--height", 100, "--encoded", "--val-share", 0.1)


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} does not come"
        time.sleep(0.01)


def test_ctrl_c_leaves_what_is_done_and_the_same_call_goes_on(protonet: Any, many: Path) -> None:
    given = [str(each) for each in ("convert-vectors", "labels.csv", "data", "--root", "images")]
    given += map(str, SIZE)
    with subprocess.Popen(
        [sys.executable, "-m", "protonet", *given], cwd=many, stderr=subprocess.PIPE, text=True
    ) as child:
        wait_for(many / "data.partial" / "train_labels" / "data.mdb")
        time.sleep(0.3)
        child.send_signal(signal.SIGINT)
        _, told = child.communicate(timeout=60)
    assert child.returncode == 130
    assert told.splitlines()[-2:] == [
        "error: interrupted",
        "the partial output is kept in data.partial: the same command resumes it, --restart starts "
        "over",
    ]
    assert not (many / "data").exists()
    other = protonet(*given, "--shuffle", "--seed", 3)
    assert other.returncode == 2
    assert (
        "data.partial: was started with other settings: shuffle was False, is now True; seed "
        in (other.stderr)
    )
    resumed = protonet(*given)
    assert resumed.returncode == 0, resumed.stderr
    (there,) = re.findall(
        r"^continuing data\.partial: (\d+) of 400 images exist$", resumed.stderr, re.M
    )
    assert 0 < int(there) < 400
    assert "data/val_images, _labels: 40 images" in resumed.stdout
    given[2] = "whole"
    whole = protonet(*given)
    assert whole.returncode == 0, whole.stderr
    told = whole.stderr.splitlines()  # nothing but progress, where it takes seconds
    assert all(re.fullmatch(r"\d+ of 400 images \(\d+ %\)(, .* left)?", line) for line in told)
    for part in ("train", "val"):
        for name in (f"{part}_images", f"{part}_labels"):
            left, right = (Database(many / folder / name) for folder in ("data", "whole"))
            with left, right:
                assert list(left) == list(right)
        for name in (f"{part}_mean.png", f"{part}_mean.binaryproto"):
            left, right = ((many / folder / name).read_bytes() for folder in ("data", "whole"))
            assert left == right
    again = protonet(*given)
    assert again.returncode == 2
    assert "whole: exists already" in again.stderr


def test_restart_forgets_and_the_bar_shows_what_is_there(terminal: Any, many: Path) -> None:
    (many / "images" / "7.png").rename(many / "7.png")
    given = ("convert-vectors", "labels.csv", "data", "--root", "images", "--gray")
    shown = terminal(*given)
    assert shown.returncode == 4
    assert "data.partial: the same command resumes it, --restart starts over" in shown.stdout
    (many / "7.png").rename(many / "images" / "7.png")
    shown = terminal(*given)
    assert "continuing data.partial: 7 of 400 images exist" in shown.stdout
    (first, *_), *_, (last, _) = re.findall(r"(\d+)/(400)", shown.stdout)
    assert (int(first) >= 7, last) == (True, "400")
    (many / "images" / "7.png").rename(many / "7.png")
    assert terminal(*given[:2], "new", *given[3:]).returncode == 4
    (many / "7.png").rename(many / "images" / "7.png")
    shown = terminal(*given[:2], "new", *given[3:-1], "--restart")
    assert (shown.returncode, "going on" in shown.stdout) == (0, False)
    with Database(many / "new" / "train_images") as database:
        assert database.first()[1].channels == 3
