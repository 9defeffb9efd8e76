"""A detector with every command that takes databases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from protonet.data.shapes import create_shapes
from tests.jobs.nets import DETECTOR

DATA = ("--data", "data/train_images")
VALIDATE = ("--val-data", "data/val_images")


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path) -> Path:
    """A folder with ``net.prototxt`` and ``data``."""
    create_shapes(tmp_path / "data", 32, 24, 12, 5, seed=3)
    (tmp_path / "net.prototxt").write_text(DETECTOR)
    return tmp_path


def test_from_training_to_a_test_and_a_prediction(protonet: Any, workplace: Path) -> None:
    sizes = workplace / "sizes.txt"
    sizes.write_text((workplace / "data" / "test_name_size.txt").read_text())
    (workplace / "data" / "test_name_size.txt").unlink()
    (workplace / "data" / "labelmap.prototxt").rename(workplace / "classes.prototxt")
    made = protonet(
        "train", "net.prototxt", *DATA, *VALIDATE, "--label-map", "classes.prototxt",
        "--name-sizes", "sizes.txt", "--epochs", 1, "--out", "run", "--quiet",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    assert (workplace / "run" / "labels.txt").read_text().split()[1:] == [
        "circle", "square", "triangle"
    ]  # fmt: skip
    assert (workplace / "run" / "test_name_size.txt").read_text() == sizes.read_text()
    tested = protonet("test", "run", "--data", "data/val_images", "--name-sizes", "sizes.txt")
    assert tested.returncode == 0, tested.stderr
    assert "each of 5 records once" in tested.stderr
    wrong = protonet("test", "run", "--data", "data/train_images", "--name-sizes", "sizes.txt")
    assert "sizes.txt: has 5 lines, but data/train_images has 12 images" in wrong.stderr
    assert protonet("infer", "run", "data/test0.png").returncode == 0


def test_tables_times_and_drawings(protonet: Any, workplace: Path) -> None:
    checked = protonet("check", "net.prototxt", *DATA)
    assert checked.returncode == 0, checked.stderr
    assert "label 1x1x" in checked.stdout
    assert "AnnotatedData" in checked.stdout
    phase = protonet("check", "net.prototxt", "--data", "data/val_images", "--phase", "test")
    assert "DetectionEvaluate" in phase.stdout
    timed = protonet("profile", "net.prototxt", *DATA, "--iterations", 2)
    assert timed.returncode == 0, timed.stderr
    assert "iterations/s" in timed.stdout
    assert protonet("draw", "net.prototxt", "net.svg").returncode == 0


def test_mistakes_are_told_at_their_lines(protonet: Any, workplace: Path) -> None:
    (workplace / "net.prototxt").write_text(DETECTOR.replace("num_classes: 4", "num_classes: 21"))
    for command, options in (("train", ("--out", "run")), ("check", ())):
        found = protonet(command, "net.prototxt", *DATA, *options)
        assert found.returncode != 0
        assert "num_classes is 21, but data/labelmap.prototxt has 4" in found.stderr.replace(
            f"{workplace}/", ""
        )
        assert "net.prototxt:" in found.stderr
        assert "Traceback" not in found.stderr
    assert not (workplace / "run").exists()


def test_a_network_whose_phases_differ(protonet: Any, workplace: Path) -> None:
    """DetectNet has the layers of prediction in phase TEST alone."""
    create_shapes(workplace / "boxes", 64, 64, 4, 2, detectnet=True)
    net = Path(__file__).parents[2] / "examples" / "prototxt" / "detectnet" / "net.prototxt"
    given = ("--data", "boxes/train_images", "--labels", "boxes/train_boxes")
    checked = protonet("check", net, *given)
    assert checked.returncode == 0, checked.stderr
    assert "135,741 parameters" in checked.stdout
    report = json.loads(protonet("check", net, *given, "--json").stdout)
    assert {"conv6", "cluster"} & set(str(report).replace("'", " ").split())
    forgotten = protonet("check", net, *given[:2])
    assert "'label' would be class numbers, but boxes/train_images has images with boxes" in (
        forgotten.stderr
    )
    assert "give --labels" in forgotten.stderr
