"""Damaged files of every kind: a plain message that names the file, and nothing else happens.

Each kind is tried in a process of its own, many damages one after the other; a damage that kills
the process, or hangs it, is named by what it printed last.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from protonet.data.class_table import ClassTable
from protonet.data.database import Database
from protonet.data.datum import decode, encode_image
from protonet.formats.caffemodel import read_weights, write_weights

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"
DIGITS = GOLDEN / "digits"

SCRIPT = """
import contextlib, io, json, shutil, sys
from pathlib import Path
from protonet.cli import main
before = {path.name for path in Path().iterdir()}
for line in sys.stdin:
    name, target, source, arguments = json.loads(line)
    print(json.dumps([name]), flush=True)
    target = Path(target)
    kept = target.read_bytes()
    target.write_bytes(Path(source).read_bytes())
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(arguments)
        except SystemExit as leave:
            code = leave.code or 0
    made = [path for path in Path().iterdir() if path.name not in before]
    for path in made:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    after = target.read_bytes() == Path(source).read_bytes()
    target.write_bytes(kept)
    print(json.dumps([name, code, err.getvalue(), after, [p.name for p in made]]), flush=True)
"""


@dataclass(frozen=True)
class Kind:
    """A kind of file: where it lies, and a command that reads it.

    ``named`` are words of which an error message has one: the file's name, as a rule.
    """

    path: str
    arguments: tuple[str, ...]
    named: tuple[str, ...] = ()


KINDS = {
    "net": Kind("deploy.prototxt", ("check", "deploy.prototxt")),
    "solver": Kind("solver.prototxt", ("train", "-solver", "solver.prototxt", "--out", "run")),
    "caffemodel": Kind(
        "net.caffemodel",
        ("test", "-model", "train_val.prototxt", "-weights", "net.caffemodel", "-iterations", "1"),
    ),
    "caffemodel.h5": Kind(
        "net.caffemodel.h5",
        (
            "test", "-model", "train_val.prototxt", "-weights", "net.caffemodel.h5",
            "-iterations", "1",
        ),
    ),
    "solverstate": Kind(
        "digits_iter_100.solverstate",
        (
            "train", "-solver", "solver.prototxt", "-snapshot", "digits_iter_100.solverstate",
            "--out", "run",
        ),
    ),
    "mean": Kind(
        "mean.binaryproto",
        (
            "classify", "deploy.prototxt", "--weights", "net.caffemodel", "--mean",
            "mean.binaryproto", "1.png",
        ),
        ("mean.binaryproto", "1.png"),
    ),
    "npz": Kind("net.npz", ("convert-weights", "net.npz", "out.caffemodel")),
    "safetensors": Kind("net.safetensors", ("convert-weights", "net.safetensors", "out.npz")),
    "lmdb": Kind(
        "test_db/data.mdb",
        ("compute-image-mean", "test_db", "out.binaryproto"),
        ("test_db",),
    ),
    "png": Kind(
        "1.png",
        ("classify", "deploy.prototxt", "--weights", "net.caffemodel", "--mean", "64", "1.png"),
    ),
    "list": Kind("list.txt", ("convert-imageset", ".", "list.txt", "out_db"), ("list.txt", ".png")),
    "csv": Kind("labels.csv", ("convert-vectors", "labels.csv", "out"), ("labels.csv", ".png")),
    "boxes": Kind(
        "boxes.csv", ("convert-detection", "boxes.csv", "out"), ("boxes.csv", ".png", "image")
    ),
    "coco": Kind("coco.json", ("convert-detection", "coco.json", "out"), ("coco.json", "image")),
    "voc": Kind("voc/Annotations/1.xml", ("convert-detection", "voc", "out"), ("1.xml", "image")),
    "kitti": Kind(
        "kitti/labels/1.txt", ("convert-detection", "kitti", "out"), ("1.txt", "image", "class")
    ),
    "label picture": Kind(
        "segmentation/labels/1.png",
        ("convert-segmentation", "segmentation", "out", "--ignore", "255"),
        ("1.png", "label pictures"),
    ),
    "pairs": Kind("pairs.txt", ("convert-segmentation", "pairs.txt", "out"), ("pairs.txt",)),
    "class table": Kind(
        "class_table.csv",
        ("convert-segmentation", "pairs.txt", "out", "--classes", "class_table.csv"),
        ("class_table.csv", ".png"),
    ),
    "log": Kind("caffe.log", ("parse-log", "caffe.log", "out")),
    "metrics": Kind("metrics.jsonl", ("parse-log", "metrics.jsonl", "out")),
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One good file of every kind."""
    folder = tmp_path_factory.mktemp("damaged")
    shutil.copytree(DIGITS, folder, dirs_exist_ok=True)
    solver = (folder / "solver.prototxt").read_text()
    (folder / "solver.prototxt").write_text(solver.replace("max_iter: 200", "max_iter: 101"))
    shutil.copy(folder / "digits_iter_200.caffemodel", folder / "net.caffemodel")
    shutil.copy(ROOT / "examples" / "pycaffe" / "deploy.prototxt", folder)
    weights = read_weights(folder / "net.caffemodel")
    for name in ("net.caffemodel.h5", "net.npz", "net.safetensors"):
        write_weights(folder / name, weights)
    from protonet.formats.blobs import from_array

    mean = np.full((1, 1, 8, 8), 64, np.float32)
    (folder / "mean.binaryproto").write_bytes(from_array(mean).SerializeToString())
    with Database(DIGITS / "test_db") as database:
        for place, key in enumerate(list(database.keys())[:4]):
            image = encode_image(decode(database.get(key), ""))
            (folder / f"{place}.png").write_bytes(image)
    (folder / "list.txt").write_text("".join(f"{n}.png {n}\n" for n in range(4)))
    (folder / "labels.csv").write_text("".join(f"{n}.png,{n},{n / 7}\n" for n in range(4)))
    write_detection_sets(folder)
    write_segmentation_set(folder)
    rows = [{"event": "train", "iteration": n, "loss": 1 / (n + 1), "lr": 0.1} for n in range(40)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def write_detection_sets(folder: Path) -> None:
    """The images with boxes, in four forms."""
    for name in ("voc/JPEGImages", "voc/Annotations", "kitti/images", "kitti/labels"):
        (folder / name).mkdir(parents=True)
    lines, images, boxes = [], [], []
    for n in range(4):
        for base in ("voc/JPEGImages", "kitti/images"):
            shutil.copy(folder / f"{n}.png", folder / base)
        lines.append(f"{n}.png,cat,1,1,{n + 3},7\n")
        images.append({"id": n, "file_name": f"{n}.png", "height": 8, "width": 8})
        boxes.append({"id": n, "image_id": n, "category_id": 1, "bbox": [1, 1, n + 2, 6]})
        (folder / f"kitti/labels/{n}.txt").write_text(f"cat 0 0 0 1 1 {n + 3} 7{' 0' * 7}\n")
        (folder / f"voc/Annotations/{n}.xml").write_text(
            f"<annotation><object><name>cat</name><bndbox><xmin>1</xmin><ymin>1</ymin>"
            f"<xmax>{n + 3}</xmax><ymax>7</ymax></bndbox></object></annotation>\n"
        )
    (folder / "boxes.csv").write_text("".join(lines))
    document = {"images": images, "annotations": boxes}
    document["categories"] = [{"id": 1, "name": "cat"}]
    (folder / "coco.json").write_text(json.dumps(document))


def write_segmentation_set(folder: Path) -> None:
    """The images with label pictures, in folders and as a list of pairs."""
    lines = []
    for kind in ("images", "labels"):
        (folder / "segmentation" / kind).mkdir(parents=True)
    for n in range(4):
        shutil.copy(folder / f"{n}.png", folder / "segmentation" / "images")
        labels = np.full((8, 8), n % 2, np.uint8)
        (folder / "segmentation" / "labels" / f"{n}.png").write_bytes(encode_image(labels))
        lines.append(f"{n}.png segmentation/labels/{n}.png\n")
    (folder / "pairs.txt").write_text("".join(lines))
    (folder / "class_table.csv").write_text(ClassTable.of(["a", "b"]).text())


def damages(good: bytes, others: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """What can become of a file: cut, flipped, replaced."""
    yield "empty", b""
    for share in (0.01, 0.1, 0.5, 0.9, 0.999):
        yield f"cut at {share}", good[: int(len(good) * share)]
    yield "without its last byte", good[:-1]
    chance = random.Random(7)
    for number in range(24):
        flipped = bytearray(good)
        # The beginning, where the structure is, gets half of them.
        place = chance.randrange(min(len(good), 400) if number % 2 else len(good))
        flipped[place] ^= 1 << chance.randrange(8)
        yield f"bit flipped at {place}", bytes(flipped)
    yield "zeros", bytes(len(good))
    yield "noise", chance.randbytes(min(len(good), 5000))
    yield "noise behind it", good + chance.randbytes(100)
    for name, other in others.items():
        yield f"is a {name}", other


SURE = ("empty", "zeros", "noise")
"""Damages that no file of ours survives, except where a text may be empty."""


@pytest.mark.parametrize("kind", KINDS)
def test_damaged(kind: str, folder: Path, tmp_path: Path) -> None:
    here = tmp_path / "here"
    shutil.copytree(folder, here)
    target = here / KINDS[kind].path
    others = {
        name: (here / other.path).read_bytes() for name, other in KINDS.items() if name != kind
    }
    calls, given = [], tmp_path / "damages"
    given.mkdir()
    for number, (name, content) in enumerate(damages(target.read_bytes(), others)):
        (given / str(number)).write_bytes(content)
        calls.append((name, str(target), str(given / str(number)), KINDS[kind].arguments))
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        input="".join(json.dumps(call) + "\n" for call in calls),
        capture_output=True,
        text=True,
        cwd=here,
        env={**os.environ, "COLUMNS": "200"},
        timeout=300,
    )
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, f"died at {told[-1]}: {done.stderr[-2000:]}"
    results = [each for each in told if len(each) == 5]
    assert len(results) == len(calls)
    named = KINDS[kind].named or (target.name,)
    wrong = []
    for name, code, errors, untouched, made in results:
        plain = "Traceback" not in errors and code in (0, 2, 3, 4, 5, 7)
        says = code == 0 or any(word in errors for word in named)
        sure = code != 0 or name not in SURE or kind in ("net", "log", "metrics", "kitti")
        whole = not any(each.startswith(".") for each in made)
        if not (plain and says and sure and untouched and whole):
            wrong.append((name, code, errors[-600:], untouched, made))
    assert not wrong, "\n".join(map(str, wrong))
    refused = [name for name, code, *_ in results if code != 0]
    assert len(refused) > len(results) // 3
