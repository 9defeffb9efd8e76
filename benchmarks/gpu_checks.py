"""Checks of a GPU that are no tests: a training beside the CPU's, exact resume, pycaffe's copies.

``python benchmarks/gpu_checks.py digits|resume|pycaffe [--device cuda:0]``. On ``--device cpu``
they only show that they run. ``benchmarks/gpu.sh`` calls them.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from protonet.formats.caffemodel import read_weights

_ROOT = Path(__file__).parents[1]
_DIGITS = _ROOT / "tests" / "golden" / "digits"
_CHANGES = 0.02
"""What 200 iterations change in the weights: the norm of the difference, relative to it."""


def main() -> None:
    """Run one of the checks; exit status 1 where it fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("check", choices=CHECKS)
    parser.add_argument("--device", default="cuda:0")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wrong = CHECKS[asked.check](Path(folder), asked.device)
    print(f"{asked.check}: {wrong or 'passed'}")
    sys.exit(bool(wrong))


def digits(folder: Path, device: str) -> str:
    """golden/digits trained by its own solver on both, from the same weights."""
    before = _weights(_DIGITS / "init.caffemodel")
    changes, accuracies = [], []
    for number, each in enumerate(("cpu", device)):
        made = _copy(folder / str(number))
        said = _train(made, "-solver", "solver.prototxt", "-weights", "init.caffemodel", on=each)
        changes.append(_weights(made / "digits_iter_200.caffemodel") - before)
        accuracies.append(said.split("accuracy = ")[-1].split()[0])
    far = np.linalg.norm(changes[1] - changes[0]) / np.linalg.norm(changes[0])
    print(
        f"changes of the weights differ by {far:.2g}; accuracies {accuracies[0]}, {accuracies[1]}"
    )
    return "" if far <= _CHANGES else f"they may differ by {_CHANGES:g}"


def resume(folder: Path, device: str) -> str:
    """A training that goes on from its snapshot ends with the bits of one that went through."""
    whole, again = _copy(folder / "whole"), _copy(folder / "again")
    begin = ("-solver", "solver.prototxt", "-weights", "init.caffemodel")
    _train(whole, *begin, on=device)
    for name in ("caffemodel", "solverstate", "resume.json"):
        shutil.copy(whole / f"digits_iter_100.{name}", again)
    snapshot = ("-snapshot", "digits_iter_100.solverstate")
    _train(again, "-solver", "solver.prototxt", *snapshot, on=device)
    for name in ("caffemodel", "solverstate"):
        one, other = ((each / f"digits_iter_200.{name}").read_bytes() for each in (whole, again))
        if one != other:
            return f"digits_iter_200.{name} is another one after a resume"
    return ""


def pycaffe(folder: Path, device: str) -> str:
    """Looking at every blob must not undo what is written to an input: Flatten and Reshape are
    views of it, of which a copy of the host is written back only where it was changed.
    """
    import protonet.pycaffe as caffe

    if device == "cpu":
        caffe.set_mode_cpu()
    else:
        caffe.set_mode_gpu()
        caffe.set_device(int(device.partition(":")[2] or 0))
    text = folder / "net.prototxt"
    text.write_text("""
        layer { name: "data" type: "Input" top: "data"
                input_param { shape { dim: 2 dim: 3 dim: 4 dim: 5 } } }
        layer { name: "flat" type: "Flatten" bottom: "data" top: "flat" }
        layer { name: "wide" type: "Reshape" bottom: "flat" top: "wide"
                reshape_param { shape { dim: 2 dim: 12 dim: 5 } } }
        layer { name: "out" type: "Power" bottom: "wide" top: "out" power_param { scale: 2 } }
    """)
    net = caffe.Net(str(text), caffe.TEST)
    image = np.arange(120, dtype=np.float32).reshape(2, 3, 4, 5)
    for turn in range(3):
        for name, blob in net.blobs.items():
            print(name, blob.data.shape, float(blob.data.sum()))
        net.blobs["data"].data[...] = image + turn
        out = net.forward()["out"]
        if not np.array_equal(out.ravel(), 2 * (image + turn).ravel()):
            return f"pass {turn}: an image that was written to 'data' did not reach the net"
    net.blobs["flat"].data[...] = 7  # a view of the input, which is what is read next
    out = net.forward(start="wide")["out"]
    return "" if (out == 14).all() else "what was written to 'flat' did not reach the next layer"


CHECKS: dict[str, Callable[[Path, str], str]] = {
    "digits": digits,
    "resume": resume,
    "pycaffe": pycaffe,
}


def _copy(folder: Path) -> Path:
    shutil.copytree(_DIGITS, folder, ignore=shutil.ignore_patterns("*_iter_*"))
    return folder


def _train(folder: Path, *arguments: str, on: str) -> str:
    """What a training says."""
    command = [sys.executable, "-m", "protonet", "train", *arguments, "--device", on]
    done = subprocess.run(command, cwd=folder, text=True, capture_output=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def _weights(path: Path) -> np.ndarray:
    layers = read_weights(path)
    return np.concatenate([blob.ravel() for blobs in layers.values() for blob in blobs])


if __name__ == "__main__":
    main()
