"""convert-weights: every kind to every other, and back to Caffe's."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protonet.formats.caffemodel import read_weights

DIGITS = Path(__file__).parents[1] / "golden" / "digits"


@pytest.mark.parametrize("kind", ["npz", "safetensors", "caffemodel.h5", "caffemodel"])
def test_there_and_back(protonet: Any, tmp_path: Path, kind: str) -> None:
    shutil.copy(DIGITS / "init.caffemodel", tmp_path)
    found = protonet("convert-weights", "init.caffemodel", f"other.{kind}")
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout == f"other.{kind}: 4 layers, 2,122 values\n"
    assert protonet("convert-weights", f"other.{kind}", "back.caffemodel").returncode == 0
    before = read_weights(tmp_path / "init.caffemodel")
    after = read_weights(tmp_path / "back.caffemodel")
    assert {name for name, params in before.items() if len(params)} == set(after)
    for name, params in before.items():
        if not len(params):
            continue
        for one, other in zip(params, after[name], strict=True):
            np.testing.assert_array_equal(one, other)
    given = ("test", str(DIGITS / "train_val.prototxt"), "--iterations", 1)
    shutil.copytree(DIGITS / "test_db", tmp_path / "test_db")
    outputs = {
        protonet(*given, "--weights", name).stdout for name in ("init.caffemodel", f"other.{kind}")
    }
    assert len(outputs) == 1


def test_what_cannot_be(protonet: Any, tmp_path: Path) -> None:
    shutil.copy(DIGITS / "init.caffemodel", tmp_path)
    found = protonet("convert-weights", "init.caffemodel", "weights.pt")
    assert found.returncode == 2
    assert "expected a name that ends in .caffemodel, .h5, .npz, .safetensors" in found.stderr
    assert protonet("convert-weights", "nowhere.npz", "x.npz").returncode == 2
    (tmp_path / "bad.npz").write_text("bad")
    assert protonet("convert-weights", "bad.npz", "x.caffemodel").returncode == 5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.npz", "init.caffemodel"]
