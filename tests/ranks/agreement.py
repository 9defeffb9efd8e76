"""Trainings on golden/digits, and their weights."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from protonet.formats.caffemodel import read_weights
from tests.ranks.started import ROOT

SOLVER = """
net: "net.prototxt" type: "SGD" base_lr: 0.05 momentum: 0.9 weight_decay: 0.0005 lr_policy: "fixed"
max_iter: 100 test_iter: 5 test_interval: 50 snapshot_prefix: "net" random_seed: 7
"""


DIGITS = ROOT / "tests" / "golden" / "digits"


def digits(folder: Path, net: str, **solvers: str) -> Path:
    """A folder with golden/digits, a net, and solver files: NAME.prototxt."""
    made = folder / "digits"
    shutil.copytree(DIGITS, made)
    (made / "net.prototxt").write_text(net)
    for name, text in (solvers or {"one": SOLVER}).items():
        (made / f"{name}.prototxt").write_text(text.replace('"net"', f'"{name}"'))
    return made


def weights_of(path: Path) -> np.ndarray:
    layers = read_weights(path)
    return np.concatenate([blob.ravel() for blobs in layers.values() for blob in blobs])
