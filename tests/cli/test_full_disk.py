"""A full disk while writing: a small file system, filled; a plain message, and nothing lost.

Where no file system can be mounted, the limit on the size of a file stands in for it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from protonet.data.database import Database
from protonet.data.datum import decode, encode_image
from protonet.formats.blobs import from_array
from protonet.formats.caffemodel import read_weights
from protonet.formats.solverstate import read_state
from tests.forked import Forks

ROOT = Path(__file__).parents[2]
DIGITS = ROOT / "tests" / "golden" / "digits"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files to make others of."""
    folder = tmp_path_factory.mktemp("full")
    shutil.copytree(DIGITS, folder, dirs_exist_ok=True)
    shutil.copy(folder / "digits_iter_200.caffemodel", folder / "net.caffemodel")
    shutil.copy(ROOT / "examples" / "pycaffe" / "deploy.prototxt", folder)
    random = np.random.default_rng(1)
    with Database(DIGITS / "test_db") as database:
        for place, key in enumerate(list(database.keys())[:40]):
            (folder / f"{place}.png").write_bytes(encode_image(decode(database.get(key), "")))
    for place in range(40, 60):
        noise = random.integers(0, 256, (3, 64, 64), np.uint8)
        (folder / f"{place}.png").write_bytes(encode_image(noise))
    mean = np.full((1, 1, 8, 8), 64, np.float32)
    (folder / "mean.binaryproto").write_bytes(from_array(mean).SerializeToString())
    names = [f"{number}.png" for number in range(40, 60)]
    (folder / "list.txt").write_text("".join(f"{name} 1\n" for name in names))
    (folder / "labels.csv").write_text("".join(f"{name},1,2\n" for name in names))
    return folder


Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(forks: Forks) -> Run:
    """Runs the program in a folder: its exit code and messages."""

    def run(folder: Path, *arguments: str, limit: int | None = None) -> tuple[int, str]:
        # A child without room cannot write its coverage.
        known = {
            key: value for key, value in os.environ.items() if limit is None or key[:3] != "COV"
        }
        done = forks.run([*arguments], folder, {**known, "COLUMNS": "200"}, limit=limit)
        return done.returncode, done.stderr

    return run


WRITERS = {
    "create-db": ("create-db", "gradients", "OUT/data", "-x", "32", "-y", "32", "-c", "64"),
    "convert-imageset": ("convert-imageset", ".", "list.txt", "OUT/db"),
    "convert-vectors": ("convert-vectors", "labels.csv", "OUT/vectors"),
    "compute-image-mean": ("compute-image-mean", "test_db", "OUT/mean.binaryproto"),
    "convert-weights npz": ("convert-weights", "net.caffemodel", "OUT/net.npz"),
    "convert-weights safetensors": ("convert-weights", "net.caffemodel", "OUT/net.safetensors"),
    "convert-weights h5": ("convert-weights", "net.caffemodel", "OUT/net.caffemodel.h5"),
    "convert-weights": ("convert-weights", "net.caffemodel", "OUT/net.caffemodel"),
    "export-onnx": (
        "export-onnx", "deploy.prototxt", "OUT/net.onnx", "--weights", "net.caffemodel",
    ),
    "upgrade": ("upgrade", "net.caffemodel", "OUT/new.caffemodel"),
    "draw": ("draw", "train_val.prototxt", "OUT/net.png"),
    "plot": ("plot", "caffe.log", "--out", "OUT/plot.png"),
    "parse-log": ("parse-log", "caffe.log", "OUT"),
    "extract-features": (
        "extract-features", "net.caffemodel", "train_val.prototxt", "data", "OUT/features", "4",
    ),
    "train": ("train", "-solver", "solver.prototxt", "--out", "OUT/run"),
}  # fmt: skip


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file system of 64 KiB."""
    mount = tmp_path_factory.mktemp("disk")
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(mount)], capture_output=True
    )
    if made.returncode != 0:
        pytest.skip(f"no file system can be mounted: {made.stderr.decode().strip()}")
    yield mount
    subprocess.run(["umount", "-l", str(mount)], check=True)


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_file_system(name: str, run: Run, folder: Path, small_disk: Path) -> None:
    out = small_disk / "out"
    out.mkdir()
    with (small_disk / "filler").open("wb", buffering=0) as filler, suppress(OSError):
        while filler.write(bytes(1 << 10)):
            pass
    try:
        arguments = [each.replace("OUT", str(out)) for each in WRITERS[name]]
        code, errors = run(folder, *arguments)
        check(code, errors, out)
    finally:
        shutil.rmtree(out)
        (small_disk / "filler").unlink()


@pytest.mark.parametrize("name", WRITERS)
def test_files_that_cannot_grow(name: str, run: Run, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    arguments = [each.replace("OUT", str(out)) for each in WRITERS[name]]
    code, errors = run(folder, *arguments, limit=100)
    check(code, errors, out)


def check(code: int, errors: str, out: Path) -> None:
    """An error of the disk's, told with a path; no file with a temporary's name stays."""
    assert "Traceback" not in errors, errors
    assert code in (4, 5), (code, errors)
    assert any(word in errors for word in ("No space left", "File too large", "full")), errors
    assert str(out) in errors, errors
    assert not list(out.rglob(".*"))


def test_the_previous_snapshot_stays(run: Run, folder: Path, tmp_path: Path) -> None:
    """The disk fills up between two snapshots; with space again the training goes on from there."""
    here = tmp_path / "here"
    shutil.copytree(folder, here)
    solver = (here / "solver.prototxt").read_text().replace("max_iter: 200", "max_iter: 60")
    (here / "solver.prototxt").write_text(
        "\n".join(line for line in solver.splitlines() if not line.startswith("snapshot:"))
        + "\nsnapshot: 20\n"
    )
    code, errors = run(here, "train", "-solver", "solver.prototxt", "--out", "whole")
    assert code == 0, errors
    whole = read_weights(here / "digits_iter_60.caffemodel")
    for path in here.glob("digits_iter_[246]0.*"):
        path.unlink()
    # The first snapshot fits; metrics and log are small; then nothing more may be written.
    blocked = here / "digits_iter_40.caffemodel"
    blocked.mkdir()
    code, errors = run(here, "train", "-solver", "solver.prototxt", "--out", "run")
    assert code != 0
    assert "digits_iter_40.caffemodel" in errors
    assert "Traceback" not in errors
    blocked.rmdir()
    assert read_state(here / "digits_iter_20.solverstate").iteration == 20
    code, errors = run(here, "train", "--resume", "run")
    assert code == 0, errors
    for layer, params in read_weights(here / "digits_iter_60.caffemodel").items():
        for one, other in zip(params, whole[layer], strict=True):
            np.testing.assert_array_equal(one, other)
