from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from protonet.data.database import Database
from protonet.data.datum import decode


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_it_makes_both_sets_and_says_what_comes_next(protonet: Any, tmp_path: Path) -> None:
    found = protonet("create-db", "gradients", "data", "-x", 6, "-y", 4, "-c", 9, "--val-count", 3)
    assert (found.returncode, found.stderr) == (0, "")
    first, following = found.stdout.splitlines()
    assert first == "9 training and 3 validation images of 6x4 in data"
    assert following == (
        "next: protonet train NETWORK.prototxt --data data/train_images --labels "
        "data/train_labels --val-data data/val_images --val-labels data/val_labels"
    )
    assert {path.name for path in (tmp_path / "data").iterdir()} >= {
        "train_images", "train_labels", "val_images", "val_labels", "test.png",
        "train_mean.binaryproto", "val_mean.binaryproto", "train_mean.png", "val_mean.png",
    }  # fmt: skip
    for name, records, shape in (
        ("train_images", 9, (1, 4, 6)),
        ("val_images", 3, (1, 4, 6)),
        ("val_labels", 3, (1, 1, 2)),
    ):
        with Database(tmp_path / "data" / name) as database:
            assert len(database) == records
            assert decode(database.first()[1], name).shape == shape
            assert database.first()[1].encoded is name.endswith("images")


def test_equal_seeds_make_equal_data(protonet: Any, tmp_path: Path) -> None:
    small = ("-x", 5, "-y", 4, "-c", 8)
    for folder, options in (("a", ()), ("b", ()), ("c", ("--seed", 1)), ("d", ("--raw",))):
        assert protonet("create-db", "gradients", folder, *small, *options).returncode == 0
    means = [digest(tmp_path / folder / "train_mean.binaryproto") for folder in "abcd"]
    assert means[0] == means[1] == means[3] != means[2]
    with Database(tmp_path / "d" / "train_images") as database:
        assert not database.first()[1].encoded
        assert len(database.first()[1].data) == 20
    with Database(tmp_path / "a" / "val_images") as database:
        assert len(database) == 1


def test_an_existing_folder_is_refused(protonet: Any, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    found = protonet("create-db", "gradients", "data")
    assert found.returncode == 2
    assert found.stderr.startswith("error: data: exists already")
    assert list((tmp_path / "data").iterdir()) == []


def test_numbers_below_one_are_refused_by_name(protonet: Any) -> None:
    found = protonet("create-db", "gradients", "data", "-c", 0)
    assert found.returncode == 2
    assert "'-c' / '--count'" in found.stderr


def test_a_terminal_shows_a_bar_that_goes_away(terminal: Any) -> None:
    shown = terminal("create-db", "gradients", "data", "-x", 8, "-y", 6, "-c", 300)
    assert shown.returncode == 0
    assert "360/360" in shown.stdout or "/360" in shown.stdout
    assert shown.stdout.rindex("\x1b[?25h") > shown.stdout.rindex("\x1b[?25l")
    assert "300 training and 60 validation images of 8x6 in data" in shown.stdout


def test_ctrl_c_removes_what_was_begun(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "protonet", "create-db", "gradients", "data", "-c", "1000000"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        while not (tmp_path / "data.partial" / "train_labels").exists():
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, stdout) == (130, "")
    assert stderr.strip() == "error: interrupted"
    assert list(tmp_path.iterdir()) == []


def test_shapes_are_made_and_equal_seeds_make_equal_data(protonet: Any, tmp_path: Path) -> None:
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        found = protonet(
            "create-db", "shapes", folder, "-x", 24, "-y", 16, "-c", 6, "--val-count", 2,
            "--seed", seed,
        )  # fmt: skip
        assert (found.returncode, found.stderr) == (0, "")
        assert found.stdout.splitlines() == [
            f"6 training and 2 validation images of 24x16 in {folder}",
            f"next: protonet train NETWORK.prototxt --data {folder}/train_images --val-data "
            f"{folder}/val_images",
        ]
    contents = []
    for folder in "abc":
        with Database(tmp_path / folder / "train_images") as database:
            contents.append([database.annotated(key) for key in list(database.keys())])
    assert contents[0] == contents[1] != contents[2]
    truths = [(tmp_path / folder / "test.json").read_text() for folder in "abc"]
    assert truths[0] == truths[1] != truths[2]
    refused = protonet("create-db", "shapes", "a")
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: a: exists already")


def test_segments_are_made_and_equal_seeds_make_equal_data(protonet: Any, tmp_path: Path) -> None:
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        found = protonet(
            "create-db", "segments", folder, "-x", 24, "-y", 16, "-c", 6, "--val-count", 2,
            "--seed", seed,
        )  # fmt: skip
        assert (found.returncode, found.stderr) == (0, "")
        assert found.stdout.splitlines() == [
            f"6 training and 2 validation images of 24x16 in {folder}",
            f"next: protonet train NETWORK.prototxt --data {folder}/train_images --labels "
            f"{folder}/train_labels --val-data {folder}/val_images --val-labels "
            f"{folder}/val_labels",
        ]
    contents = []
    for folder in "abc":
        with Database(tmp_path / folder / "train_labels") as database:
            contents.append([datum.SerializeToString() for _, datum in database])
    assert contents[0] == contents[1] != contents[2]
    refused = protonet("create-db", "segments", "a")
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: a: exists already")


def test_shapes_for_detectnet(protonet: Any, tmp_path: Path) -> None:
    found = protonet("create-db", "shapes", "d", "-c", 2, "--detectnet")
    assert found.stdout.splitlines()[-1] == (
        "of DetectNet: --labels d/train_boxes --val-labels d/val_boxes"
    )
    with Database(tmp_path / "d" / "val_boxes") as database:
        assert database.image(database.keys()[0])[0].shape == (1, 5, 16)
