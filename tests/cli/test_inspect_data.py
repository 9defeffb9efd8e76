"""inspect-data: parts, classes and mistakes of data sets of every form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from protonet.data.create import create_gradients
from protonet.data.datum import make_datum
from protonet.data.shapes import create_shapes
from protonet.data.writer import DatabaseWriter


def test_boxes_by_class(protonet: Any, tmp_path: Path) -> None:
    create_shapes(tmp_path / "data", 32, 24, 30, 4, seed=1)
    found = protonet("inspect-data", "data")
    assert (found.returncode, found.stderr) == (0, "")
    lines = [line.split() for line in found.stdout.splitlines()]
    assert lines[0] == ["data:", "detection"]
    assert ["training", "30", "3", "x", "24", "x", "32", "encoded"] in lines
    told = json.loads(protonet("inspect-data", "data", "--json").stdout)
    circle = told["class_counts"]["train"][0]
    share = f"{100 * circle['records'] / 30:.1f}"
    assert ["1", "circle", str(circle["records"]), share, "%", str(circle["things"])] in lines
    assert told["form"] == "detection"
    assert told["parts"][0]["histograms"][0]["counts"][1] == circle["things"]


def test_classes_numbers_and_mistakes(protonet: Any, tmp_path: Path) -> None:
    create_gradients(tmp_path / "slopes", 8, 6, 5, 2, seed=1)
    found = protonet("inspect-data", "slopes")
    assert found.returncode == 0
    assert "slopes: regression" in found.stdout
    (tmp_path / "cats").mkdir()
    with DatabaseWriter(tmp_path / "cats" / "train_images") as writer:
        for number in range(3):
            writer.put(b"%d" % number, make_datum(np.zeros((1, 4, 4), np.uint8), label=number % 2))
    (tmp_path / "cats" / "labels.txt").write_text("cat\ndog\n")
    lines = [line.split() for line in protonet("inspect-data", "cats").stdout.splitlines()]
    assert ["0", "cat", "2", "66.7", "%"] in lines
    (tmp_path / "slopes" / "val_labels" / "data.mdb").write_bytes(b"x" * 9000)
    wrong = protonet("inspect-data", "slopes")
    assert wrong.returncode == 4
    assert "mistake: slopes/val_labels: " in wrong.stdout
    none = protonet("inspect-data", "nowhere")
    assert (none.returncode, none.stdout) == (2, "")
    assert "expected a folder with train_images" in none.stderr
