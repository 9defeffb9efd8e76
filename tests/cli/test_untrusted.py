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
