"""convert-weights: every kind to every other, and back to Caffe's."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protonet.formats.caffemodel import read_model, read_weights, write_model

DIGITS = Path(__file__).parents[1] / "golden" / "digits"
TORCH = Path(__file__).parents[1] / "golden_torch7" / "trainings" / "regression"


def test_ranges_of_integers_are_lost_and_that_is_told(protonet: Any, tmp_path: Path) -> None:
    message = read_model(DIGITS / "init.caffemodel")
    message.layer[1].int8_param.bottom.add(low=0, high=1)
    write_model(tmp_path / "int8.caffemodel", message)
    for kind in ("npz", "caffemodel"):
        found = protonet("convert-weights", "int8.caffemodel", f"other.{kind}")
        assert found.returncode == 0
        assert f"`protonet quantize`; other.{kind} has only weights" in found.stderr
        assert found.stdout == f"other.{kind}: 4 layers, 2,122 values\n"
    assert not any(
        each.HasField("int8_param") for each in read_model(tmp_path / f"other.{kind}").layer
    )


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


def test_models_of_torch7(protonet: Any, tmp_path: Path) -> None:
    for name in ("model.t7", "weights.t7"):
        shutil.copy(TORCH / name, tmp_path)
    told = "1 layers, 5,002 values\n"
    assert protonet("convert-weights", "model.t7", "a.npz").stdout == f"a.npz: {told}"
    given = ("convert-weights", "weights.t7", "b.caffemodel")
    assert protonet(*given, "--model", "model.t7").stdout == f"b.caffemodel: {told}"
    one, two = (read_weights(tmp_path / name) for name in ("a.npz", "b.caffemodel"))
    np.testing.assert_array_equal(one["Linear1"][0], two["Linear1"][0])
    back = protonet("convert-weights", "a.npz", "c_Weights.t7", "--model", "model.t7")
    assert back.stdout == f"c_Weights.t7: {told}"
    assert (tmp_path / "c_Weights.t7").read_bytes() == (TORCH / "weights.t7").read_bytes()
    assert protonet("convert-weights", "model.t7", "d.t7").returncode == 0
    assert (tmp_path / "d.t7").stat().st_size == (TORCH / "model.t7").stat().st_size
    found = protonet("convert-weights", "a.npz", "e.t7")
    assert found.returncode == 2
    assert "e.t7: a .t7 file has the net too; --model names one with it" in found.stderr
    found = protonet(*given)
    assert found.returncode == 5
    assert "weights.t7: is a vector of 5,002 weights, without the net" in found.stderr
    assert not (tmp_path / "e.t7").exists()
