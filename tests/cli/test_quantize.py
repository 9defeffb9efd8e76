"""quantize, as a user calls it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from protonet.data.writer import DatabaseWriter
from protonet.device import Device
from protonet.formats.caffemodel import read_model
from protonet.graph.int8 import computes_in_integers

DIGITS = Path(__file__).parents[1] / "golden" / "digits"
NET = ("train_val.prototxt", "digits_iter_200.caffemodel")


@pytest.fixture(autouse=True)
def digits(tmp_path: Path) -> None:
    shutil.copytree(DIGITS, tmp_path, dirs_exist_ok=True)


def test_a_net_is_quantized(protonet: Any, tmp_path: Path) -> None:
    found = protonet("quantize", *NET, "--data", "train_db", "-o", "q.caffemodel", "--count", 32)
    computes = computes_in_integers(Device())
    assert (found.returncode, "has no 8-bit integers" in found.stderr) == (0, not computes)
    lines = found.stdout.splitlines()
    assert lines[0].split() == ["layer", "type", "low", "high", "clipped", *["blob", "dB"],
                                "weights", "dB"]  # fmt: skip
    assert [line.split()[0] for line in lines[1:5]] == ["conv1", "conv2", "ip1", "ip2"]
    assert "32 records for calibration" in lines
    assert ("beside float32 on 1000 records:" in lines) == computes
    assert any(line.startswith("  same answers (top-1): ") for line in lines) == computes
    assert any(line.startswith("  accuracy (top-1): ") for line in lines) == computes
    assert lines[-1] == "q.caffemodel"
    assert any(each.HasField("int8_param") for each in read_model(tmp_path / "q.caffemodel").layer)
    tested = protonet("test", NET[0], "--weights", "q.caffemodel")
    assert tested.returncode == 0
    assert float(tested.stdout.split("accuracy = ")[-1].split()[0]) == pytest.approx(
        0.882, abs=5e-3
    )


def test_json(protonet: Any) -> None:
    found = protonet(
        "quantize", *NET, "-o", "q.caffemodel", "--json", "--ranges", "percentile", "--percentile",
        99.9, "--compare", 0,
    )  # fmt: skip
    assert (found.returncode, found.stderr) == (0, "")
    told = json.loads(found.stdout)
    assert told["file"] == "q.caffemodel"
    assert (told["records"], told["comparison"]) == (297, None)
    assert told["layers"][0]["bottom"]["low"] == -0.5
    assert told["layers"][1]["bottom"]["clipped"] > 0


def test_what_cannot_be(protonet: Any, tmp_path: Path) -> None:
    with DatabaseWriter(tmp_path / "empty"):
        pass
    for given, code, message in (
        (NET, 2, "--out"),
        ((*NET, "-o", "q.h5"), 2, "ends in .caffemodel"),
        ((*NET, "-o", "no/q.caffemodel"), 2, "no/q.caffemodel: cannot be written"),
        ((*NET, "-o", "q.caffemodel", "--percentile", 99), 2, "goes with --ranges percentile"),
        ((*NET, "-o", "q.caffemodel", "--data", "empty"), 4, "the database is empty"),
        ((*NET, "-o", "q.caffemodel", "--data", "none"), 4, "there is no such database"),
        ((NET[0], NET[0], "-o", "q.caffemodel"), 5, "expected a .caffemodel"),
        ((".", "-o", "q.caffemodel"), 5, "has no deploy.prototxt"),
    ):
        found = protonet("quantize", *given)
        assert (found.returncode, message in found.stderr) == (code, True), found.stderr
        assert "Traceback" not in found.stderr
        assert not (tmp_path / "q.caffemodel").exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_kill_leaves_no_half_file(tmp_path: Path, number: signal.Signals) -> None:
    """In the middle: the hidden file is there, and is not the one that was asked for."""
    old = tmp_path / "q.caffemodel"
    old.write_bytes(b"old")
    slow = (
        "import time\n"
        "import protonet.jobs.quantization.quantize as job\n"
        "def wait(*_): print('here', flush=True); time.sleep(60)\n"
        "job.compare = wait\n"
        "job.computes_in_integers = lambda device: True\n"
        "from protonet.cli.app import main\n"
        f"raise SystemExit(main(['quantize', *{NET!r}, '-o', 'q.caffemodel']))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", slow], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        os.kill(process.pid, number)
        _, told = process.communicate(timeout=60)
    assert process.returncode == (130 if number == signal.SIGINT else -number)
    assert "Traceback" not in told
    assert old.read_bytes() == b"old"
    if number == signal.SIGINT:
        assert not list(tmp_path.glob(".q.caffemodel*"))
