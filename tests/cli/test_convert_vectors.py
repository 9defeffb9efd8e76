"""convert-vectors, run as a user runs it: from a CSV to an answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from protonet.data.create import gradient_image
from protonet.data.datum import encode_image

NET = """
layer { name: "scale" type: "Power" bottom: "data" top: "scale" power_param { scale: 0.004 } }
layer { name: "hidden" type: "InnerProduct" bottom: "scale" top: "output"
  inner_product_param { num_output: 2 } }
layer { name: "loss" type: "EuclideanLoss" bottom: "output" bottom: "label" top: "loss"
  exclude { stage: "deploy" } }
"""


def test_from_a_csv_to_an_answer(protonet: Any, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    lines = ["image,x,y"]
    for index, (x, y) in enumerate(np.random.default_rng(1).random((60, 2)) - 0.5):
        (tmp_path / "images" / f"{index}.png").write_bytes(
            encode_image(gradient_image(20, 20, x, y))
        )
        lines.append(f"{index}.png,{x},{y}")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "test.png").write_bytes(encode_image(gradient_image(20, 20, 0.5, 0.5)))
    made = protonet("convert-vectors", "labels.csv", "data", "--root", "images", "--val-share", 0.2)
    assert (made.returncode, made.stderr) == (0, "")
    assert made.stdout.splitlines() == [
        "data/train_images, _labels: 48 images",
        "data/val_images, _labels: 12 images",
        "2 number(s) a label (x, y); next:",
        "  protonet train NETWORK.prototxt --data data/train_images --labels data/train_labels "
        "--val-data data/val_images --val-labels data/val_labels",
    ]
    words = made.stdout.splitlines()[-1].replace("NETWORK", "net").split()[1:]
    trained = protonet(*words, "--batch-size", 8, "--epochs", 60, "--lr", 0.1, "--out", "run")
    assert trained.returncode == 0, trained.stderr
    answer = protonet("infer", "run", "test.png").stdout
    found = np.array(answer.split("[")[1].rstrip("]\n").split(), float)
    np.testing.assert_allclose(found, 0.5, atol=0.05)


def test_what_cannot_be(protonet: Any, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("0.png,1\n")
    for given, code, message in (
        (("labels.csv", "data"), 4, "labels.csv:1: 0.png: cannot be read: No such file"),
        (("nowhere.csv", "data"), 4, "nowhere.csv: cannot be read as CSV"),
        (("labels.csv", "data", "--width", 5), 2, "--width and --height go together"),
        (("labels.csv", "data", "--val-share", 1), 2, "1"),
    ):
        found = protonet("convert-vectors", *given)
        assert found.returncode == code
        assert message in found.stderr
        assert not (tmp_path / "data").exists()
