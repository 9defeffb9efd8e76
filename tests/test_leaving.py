"""The page for people who leave Caffe: every call that it shows is run."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from protonet.data.database import Database
from protonet.data.datum import decode, encode_image

ROOT = Path(__file__).parents[1]
DIGITS = ROOT / "tests" / "golden" / "digits"
PAGE = (ROOT / "docs" / "leaving-caffe.md").read_text()
CALLS = re.findall(r"^\| `(.*?)` \| `(.*?)` \|$", PAGE, re.MULTILINE)
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
OLD = """
input: "data" input_dim: 1 input_dim: 1 input_dim: 4 input_dim: 5
layers { name: "ip" type: INNER_PRODUCT bottom: "data" top: "ip"
  inner_product_param { num_output: 3 } }
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a person who used Caffe has: nets, weights, databases, images, lists, a log."""
    folder = tmp_path_factory.mktemp("leaving")
    shutil.copytree(DIGITS, folder, dirs_exist_ok=True)
    solver = (folder / "solver.prototxt").read_text()
    # Those who go on from iteration 100 train 10 more.
    (folder / "solver.prototxt").write_text(solver.replace("max_iter: 200", "max_iter: 110"))
    shutil.copy(folder / "digits_iter_200.caffemodel", folder / "net.caffemodel")
    shutil.copy(ROOT / "examples" / "pycaffe" / "deploy.prototxt", folder)
    (folder / "images").mkdir()
    lines = []
    with Database(DIGITS / "test_db") as database:
        for place, key in enumerate(database.keys()[:12]):
            datum = database.get(key)
            image = encode_image(decode(datum, ""))
            (folder / "images" / f"{place}.png").write_bytes(image)
            lines.append((f"{place}.png", datum.label))
    (folder / "train.txt").write_text("".join(f"{name} {label}\n" for name, label in lines))
    (folder / "val.txt").write_text("".join(f"images/{name} {label}\n" for name, label in lines))
    (folder / "labels.csv").write_text("".join(f"images/{n},{i},1\n" for n, i in lines))
    (folder / "labels.txt").write_text("".join(f"digit {number}\n" for number in range(10)))
    np.save(folder / "mean.npy", np.full((1, 8, 8), 64, np.float32))
    (folder / "old.prototxt").write_text(OLD)
    (folder / "old_solver.prototxt").write_text('net: "x" base_lr: 0.1 solver_type: ADAM')
    return folder


def run(call: str, folder: Path, **variables: str) -> str:
    """What a line prints; ``protonet`` and ``caffe`` are those of this environment."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-e", "-c", call],
        cwd=folder,
        env={**os.environ, "PATH": path, **variables},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, f"{call}\n{done.stderr}"
    return done.stdout + done.stderr


def test_the_right_side_is_the_left_one_with_our_name() -> None:
    assert len(CALLS) == 18
    for theirs, ours in CALLS:
        assert ours.removeprefix("protonet ") == theirs.removeprefix("python ")


def test_every_call_of_the_table_runs(folder: Path) -> None:
    told = {ours: run(ours, folder) for _, ours in CALLS}
    shown = "\n".join(told.values())
    for part in (
        "Optimization Done.",
        "accuracy = 0.882",
        "cpu: ",
        "new_lmdb: 12 images (lmdb)",
        "new_leveldb: 12 images (leveldb)",
        "features_ip1: 198 items of 'ip1' (lmdb)",
        "---------- Prediction for images/1.png ----------",
        '- "digit ',
        "scores.npy: scores, 12 x 10",
    ):
        assert part in shown, part
    for name in ("new.prototxt", "new.caffemodel", "new_solver.prototxt", "net.png", "loss.png",
                 "caffe.log.train", "caffe.log.test", "digits_iter_110.caffemodel"):  # fmt: skip
        assert (folder / name).stat().st_size > 100 or name.startswith("new_s"), name
    assert np.load(folder / "scores.npy").shape == (12, 10)


def test_a_script_that_calls_tools_in_a_folder(folder: Path) -> None:
    shim, script, _ = BLOCKS
    run(shim, folder)
    told = run(script, folder, TOOLS="tools")
    assert "imagenet_lmdb: 12 images (lmdb)" in told
    assert (folder / "imagenet_mean.binaryproto").exists()
    assert "cpu: " in run("tools/caffe device_query", folder)


def test_what_caffe_did_not_have(folder: Path) -> None:
    *_, block = BLOCKS
    lines = block.splitlines()
    assert {shlex.split(line)[0] for line in lines} == {"protonet"}
    told = [run(line, folder) for line in lines]
    assert "top-1 accuracy: " in told[1]
    assert (folder / "confusion.png").exists()
    assert (folder / "data" / "val_labels").is_dir()
