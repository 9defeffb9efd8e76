"""Files of strangers run no code: pickles in arrays, and layers that the text names."""

from __future__ import annotations

import pickle
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
DIGITS = ROOT / "tests" / "golden" / "digits"


class Trap:
    """A pickle of this makes the folder ``sprung`` when it is read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return Path.mkdir, (self.folder / "sprung",)


@pytest.fixture
def trapped(tmp_path: Path) -> Path:
    """Arrays whose reading as pickles would leave a trace, under every name that is read."""
    array = np.array([Trap(tmp_path)], object)
    np.save(tmp_path / "mean.npy", array, allow_pickle=True)
    np.savez(tmp_path / "net.npz", allow_pickle=True, **{"conv1/0": array})
    with zipfile.ZipFile(tmp_path / "bare.npz", "w") as file:
        file.writestr("conv1/0.npy", pickle.dumps(Trap(tmp_path)))
    for name in ("net.caffemodel", "net.safetensors", "net.caffemodel.h5", "mean.binaryproto"):
        (tmp_path / name).write_bytes(pickle.dumps(Trap(tmp_path)))
    shutil.copy(ROOT / "examples" / "pycaffe" / "deploy.prototxt", tmp_path)
    shutil.copy(DIGITS / "digits_iter_200.caffemodel", tmp_path / "good.caffemodel")
    shutil.copytree(DIGITS / "test_db", tmp_path / "test_db")
    (tmp_path / "x.png").write_bytes(b"")
    return tmp_path


def test_the_trap_works(trapped: Path) -> None:
    np.load(trapped / "mean.npy", allow_pickle=True)
    assert (trapped / "sprung").exists()


CLASSIFY = ("classify", "deploy.prototxt", "--weights", "good.caffemodel", "x.png", "--mean")
CALLS = [
    (*CLASSIFY, "mean.npy"),
    (*CLASSIFY, "mean.binaryproto"),
    ("convert-weights", "net.npz", "out.npz"),
    ("convert-weights", "bare.npz", "out.npz"),
    ("convert-weights", "net.safetensors", "out.npz"),
    ("convert-weights", "net.caffemodel", "out.npz"),
    ("convert-weights", "net.caffemodel.h5", "out.npz"),
    ("export-onnx", "deploy.prototxt", "--weights", "net.npz"),
    ("time", "-model", "deploy.prototxt", "-weights", "net.npz"),
]


@pytest.mark.parametrize("call", CALLS, ids=lambda call: " ".join(call[:3]))
def test_pickles_are_refused(protonet: Any, trapped: Path, call: tuple[str, ...]) -> None:
    found = protonet(*call)
    assert found.returncode not in (0, 1), found.stderr
    assert "Traceback" not in found.stderr
    assert not (trapped / "sprung").exists()


PYTHON = """
from pathlib import Path
Path("ran").touch()
import protonet.pycaffe as caffe
class Same(caffe.Layer):
    def setup(self, bottom, top): pass
    def reshape(self, bottom, top): top[0].reshape(*bottom[0].shape)
    def forward(self, bottom, top): top[0].data[...] = bottom[0].data
    def backward(self, top, down, bottom): bottom[0].diff[...] = top[0].diff
"""
OTHER = """
layer {{ name: "mine" type: "Python" bottom: "ip2" top: "mine" {0}
  python_param {{ module: "mine" layer: "Same" }} }}
layer {{ name: "seen" type: "Silence" bottom: "mine" {0} }}
"""


@pytest.fixture
def strange(tmp_path: Path) -> Path:
    """The digits, and a module that leaves a trace when it is imported."""
    shutil.copytree(DIGITS, tmp_path, dirs_exist_ok=True)
    (tmp_path / "mine.py").write_text(PYTHON)
    solver = (tmp_path / "solver.prototxt").read_text().replace("max_iter: 200", "max_iter: 1")
    (tmp_path / "solver.prototxt").write_text(solver)
    return tmp_path


RULES = ["", "include { phase: TEST }", 'include { stage: "deploy" }']


@pytest.mark.parametrize("rule", RULES)
def test_layers_that_run_code_are_refused_in_every_net_of_a_run(
    protonet: Any, strange: Path, rule: str
) -> None:
    text = (strange / "train_val.prototxt").read_text()
    (strange / "train_val.prototxt").write_text(text + OTHER.format(rule))
    deploy = "deploy" in rule
    found = protonet("train", "-solver", "solver.prototxt", "--untrusted", "--out", "run")
    assert (found.returncode == 0) is deploy, found.stderr
    assert "Python layers run code" in (found.stdout if deploy else found.stderr)
    data = ("--data", "train_db", "--val-data", "test_db", "--mean", "none", "--epochs", "0.01")
    found = protonet("train", "train_val.prototxt", *data, "--untrusted", "--out", "other")
    assert found.returncode == 3
    assert "Python layers run code" in found.stderr
    assert not (strange / "ran").exists()
    assert not (strange / "other").exists()


def test_a_packed_run_is_a_strangers(protonet: Any, strange: Path) -> None:
    made = protonet("train", "-solver", "solver.prototxt", "--quiet", "--out", "run")
    assert made.returncode == 0, made.stderr
    with (strange / "run" / "deploy.prototxt").open("a") as text:
        text.write(OTHER.format(""))
    (strange / "x.png").write_bytes((DIGITS.parent / "regression" / "test.png").read_bytes())
    shutil.make_archive(str(strange / "packed"), "zip", strange, "run")
    refused = protonet("infer", "packed.zip", "x.png")
    assert (refused.returncode, "--allow-python-layers" in refused.stderr) == (3, True)
    assert not (strange / "ran").exists()
    taken = protonet("infer", "packed.zip", "x.png", "--allow-python-layers")
    assert taken.returncode == 0, taken.stderr
    assert (strange / "ran").exists()
