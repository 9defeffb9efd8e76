"""profile, run as a person runs it on a network of their own."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

DIGITS = Path(__file__).parents[1] / "golden" / "digits"
NET = """
name: "pasted"
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
  inner_product_param { num_output: 10 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "ip" top: "ip" }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    shutil.copytree(DIGITS, tmp_path, dirs_exist_ok=True)
    return tmp_path


def rows(text: str) -> list[list[str]]:
    """The words of the table's lines, its titles first."""
    return [line.split() for line in text.split("\n\n")[0].splitlines()]


def test_a_net_with_its_data(protonet: Any, digits: Path) -> None:
    found = protonet(
        "profile", "train_val.prototxt", "--iterations", 3, "--out", "p.svg", "--trace", "t.json"
    )
    assert (found.returncode, found.stderr) == (0, "")
    titles, *table = rows(found.stdout)
    expected = "layer type data ms forward ms backward ms update ms share GFLOP/s GB/s"
    assert " ".join(titles) == expected
    assert [row[0] for row in table][:4] == ["digits", "conv1", "pool1", "relu1"]
    assert found.stdout.count("%") >= len(table) + 4
    assert "ReLU, in conv2" in found.stdout
    assert re.search(r"^\S+ ms per iteration of 50 images: \S+ iterations/s", found.stdout, re.M)
    assert re.search(r"^arithmetic .* % of the \S+ of a matrix product on cpu$", found.stdout, re.M)
    assert "nothing to decode: all data is in memory" in found.stdout
    assert (digits / "p.svg").read_text().startswith("<?xml")
    assert len(json.loads((digits / "t.json").read_text())["traceEvents"]) > 3 * 2 * 10


def test_the_longest_first(protonet: Any, digits: Path) -> None:
    found = protonet(
        "profile", "train_val.prototxt", "--iterations", 2, "--sort", "time", "--no-fuse"
    )
    assert ", in" not in found.stdout
    shares = [float(share) for share in re.findall(r"(\S+) %", found.stdout.split("\n\n")[0])]
    assert shares == sorted(shares, reverse=True)
    assert len(shares) == 12


def test_a_pasted_net_with_databases_or_shapes(protonet: Any, digits: Path) -> None:
    found = protonet(
        "profile", "-", "--data", "train_db", "--batch-size", 7, "--solver", "adam",
        "--iterations", 2, text=NET,
    )  # fmt: skip
    assert (found.returncode, found.stderr) == (0, "")
    assert "per iteration of 7 images" in found.stdout
    shapes = ("--input", "data=3x4", "--input", "label=3", "--iterations", 2)
    found = protonet("profile", "-", *shapes, text=NET)
    assert "per iteration of 3 images" in found.stdout
    assert "data ms" not in found.stdout
    (digits / "s.prototxt").write_text(
        'type: "Nesterov" momentum: 0.9 base_lr: 1 iter_size: 2 lr_policy: "fixed" max_iter: 1'
    )
    found = protonet("profile", "-", *shapes, "--solver", "s.prototxt", text=NET)
    assert (found.returncode, found.stderr) == (0, "")
    assert "per iteration of 6 images" in found.stdout


def test_a_solver_file_and_the_phase_test(protonet: Any, digits: Path) -> None:
    found = protonet("profile", "--solver", "solver.prototxt", "--iterations", 2)
    assert (found.returncode, found.stderr) == (0, "")
    assert "update ms" in found.stdout
    found = protonet("profile", "--solver", "solver.prototxt", "--iterations", 2, "--phase", "test")
    assert (found.returncode, found.stderr) == (0, "")
    assert "backward" not in found.stdout


def test_images_that_come_too_slowly_are_told(protonet: Any, digits: Path) -> None:
    slow = """
    layer { name: "data" type: "Data" top: "data" top: "label" transform_param { mirror: true }
      data_param { source: "train_db" batch_size: 400 threads: 1 cache: false } }
    layer { name: "s" type: "Silence" bottom: "data" bottom: "label" }
    """
    found = protonet("profile", "-", "--iterations", 3, text=slow)
    assert (found.returncode, found.stderr) == (0, "")
    assert "thread(s) took" in found.stdout
    assert "note: the net waits for data; reading images is the bottleneck" in found.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "nothing to profile: give NETWORK"),
        (("--solver", "Adam"), "nothing to profile"),
        (("--solver", "Adamm"), "no update rule; did you mean 'Adam'?"),
        (("-",), "no layer produces 'data' and 'label', so the shapes are unknown"),
        (("-", "--out", "x.gif"), "expected a picture of kind svg, png, pdf"),
        (("-", "--labels", "x"), "--labels needs --data"),
        (("-", "--data", "nowhere"), "nowhere: there is no such database"),
        (("absent.prototxt",), "absent.prototxt: cannot be read"),
        (("-", "--device", "cuda:0", "--gpu", "0"), "both choose a device"),
    ],
)
def test_mistakes(protonet: Any, arguments: tuple[str, ...], message: str) -> None:
    found = protonet("profile", *arguments, text=NET)
    assert found.returncode in (2, 4)
    assert message in found.stderr
    assert "Traceback" not in found.stderr
