"""``--ranks`` of conversions and of the mean image: real ranks make the files of one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from protonet.data.convert import convert_images, convert_vectors
from protonet.data.create import compute_mean
from protonet.data.database import Database
from protonet.data.datum import encode_image, make_datum
from protonet.data.image_list import ImageList
from protonet.data.record_format import RecordFormat
from protonet.data.vector_table import read_table
from protonet.data.writer import DatabaseWriter
from tests.cli.test_ranks import ranks_of
from tests.ranks.started import MPIEXEC, environment, protonet

COUNT = 280
"""Images; 250 of them are written at a time."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    for index in range(COUNT):
        image = generator.integers(0, 256, (3, 9 + index % 3, 10), np.uint8)
        (tmp_path / "images" / f"{index}.png").write_bytes(encode_image(image))
    lines = [f"{index}.png {index % 10}\n" for index in range(COUNT)]
    (tmp_path / "list.txt").write_text("".join(lines))
    table = [f"images/{index}.png,{index / 7},{-index}\n" for index in range(40)]
    (tmp_path / "table.csv").write_text("".join(table))
    return tmp_path


IMAGESET = ("convert-imageset", "-resize_width=8", "-resize_height=6", "--shuffle", "images/",
            "list.txt")  # fmt: skip
VECTORS = ("convert-vectors", "table.csv", "--width", 8, "--height", 6, "--val-share", 0.25)


def run(folder: Path, *arguments: object) -> str:
    done = protonet(*arguments, folder=folder)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def alone(folder: Path, *, shuffle: bool = False) -> None:
    """The database that one rank makes."""
    images = ImageList(folder / "list.txt", root=f"{folder}/images/")
    convert_images(images, folder / "one", RecordFormat((6, 8), color=True), shuffle=shuffle)


def test_databases_of_ranks_are_those_of_one(folder: Path) -> None:
    alone(folder, shuffle=True)
    assert run(folder, *IMAGESET, "db", "--ranks", 3) == f"db: {COUNT} images (lmdb)\n"
    assert files(folder / "db") == files(folder / "one")
    assert sorted(files(folder / "one")) == ["data.mdb"]
    form = RecordFormat((6, 8))
    convert_vectors(read_table(folder / "table.csv"), folder / "vectors", form, val_share=0.25)
    started = subprocess.run(
        [MPIEXEC, "-n", "2", sys.executable, "-m", "protonet", *map(str, VECTORS), "by-mpiexec"],
        cwd=folder, env=environment(), capture_output=True, text=True, timeout=100, check=True,
    )  # fmt: skip
    assert started.stdout.count("train_images, _labels: 30 images") == 1
    assert files(folder / "by-mpiexec") == files(folder / "vectors")
    assert len(files(folder / "vectors")) == 8


def test_the_mean_image_has_the_bits_of_one(folder: Path) -> None:
    """Also of floats, whose sums round."""
    generator = np.random.default_rng(0)
    with DatabaseWriter(folder / "db") as writer:
        for index in range(150):
            image = generator.normal(size=(1, 4, 5)).astype(np.float32) * 10.0 ** (index % 9)
            writer.put(f"{index:03}".encode(), make_datum(image))
    mean = compute_mean(folder / "db")
    told = run(folder, "compute-image-mean", "db", "mean.npy", "--ranks", 3)
    assert told == f"mean_value channel [0]: {mean.mean():g}\n"
    np.testing.assert_array_equal(np.load(folder / "mean.npy"), mean)


def test_a_mistake_is_told_once_with_its_line(folder: Path) -> None:
    (folder / "images" / "200.png").write_bytes(b"not an image")
    unshuffled = [each for each in IMAGESET if each != "--shuffle"]
    done = protonet(*unshuffled, "db", "--ranks", 2, folder=folder)
    assert done.returncode == 4
    assert done.stderr.count("error:") == 1
    assert "list.txt:201: images/200.png: " in done.stderr
    assert "the partial output is kept in db.partial: the same command resumes it" in done.stderr
    assert not (folder / "db").exists()


@pytest.fixture
def stuck(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A conversion on two ranks of which one waits for the last file, a pipe, behind what is
    written at a time.
    """
    pipe = folder / "images" / f"{COUNT - 1}.png"
    pipe.rename(folder / "last.png")
    os.mkfifo(pipe)
    unshuffled = [each for each in IMAGESET if each != "--shuffle"]
    process = subprocess.Popen(
        [sys.executable, "-m", "protonet", *unshuffled, "db", "--ranks", "2"],
        cwd=folder, env=environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    end = time.monotonic() + 60
    writing = None
    while writing is None:
        assert time.monotonic() < end
        assert process.poll() is None, process.communicate()
        try:
            writing = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:  # nobody reads yet
            time.sleep(0.02)
    yield process
    os.close(writing)
    process.kill()
    process.communicate()


def go_on(folder: Path) -> str:
    """The same command finishes what is left; what it says."""
    assert not (folder / "db").exists()
    (folder / "last.png").replace(folder / "images" / f"{COUNT - 1}.png")
    unshuffled = [each for each in IMAGESET if each != "--shuffle"]
    done = protonet(*unshuffled, "db", "--ranks", 2, folder=folder)
    assert done.returncode == 0
    alone(folder)
    with Database(folder / "db") as database, Database(folder / "one") as one:
        assert list(database) == list(one)
    return done.stderr


def test_a_killed_rank_ends_all(stuck: subprocess.Popen[str], folder: Path) -> None:
    ranks = sorted(ranks_of(stuck.pid))
    os.kill(ranks[1], signal.SIGKILL)
    _, told = stuck.communicate(timeout=20)
    assert stuck.returncode == 6
    assert told == (
        f"error: rank 1 on {os.uname().nodename} (process {ranks[1]}) was ended by SIGKILL; all "
        "ranks were stopped: the same command does what is left\n"
    ), told
    go_on(folder)


def test_ctrl_c_keeps_what_is_done(stuck: subprocess.Popen[str], folder: Path) -> None:
    stuck.send_signal(signal.SIGINT)
    output, told = stuck.communicate(timeout=20)
    assert (stuck.returncode, output) == (130, "")
    assert told == (
        "error: interrupted\nthe partial output is kept in db.partial: the same command resumes "
        "it, --restart starts over\n"
    )
    assert "continuing db.partial: " in go_on(folder)
