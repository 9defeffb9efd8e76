"""The example scripts for Caffe's Python module, run as a user runs them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np

from protonet.formats.caffemodel import read_weights

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
