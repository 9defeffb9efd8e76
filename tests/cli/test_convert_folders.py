"""convert-folders, and a net that learns its classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

NET = """
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" }
layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy"
  include { phase: TEST stage: "val" } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss"
  exclude { stage: "deploy" } }
layer { name: "softmax" type: "Softmax" bottom: "ip" top: "softmax" include { stage: "deploy" } }
"""


def test_folders_become_a_data_set_that_trains(protonet: Any, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for number, name in enumerate(("dark", "light")):
        (tmp_path / "images" / name).mkdir(parents=True)
        for index in range(10):
            pixels = random.integers(0, 60, (9, 12)).astype(np.uint8) + 150 * number
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / f"images/{name}/{index}.png")
    made = protonet(
        "convert-folders", "images", "data", "--width", 8, "--height", 8, "--gray", "--fit", "crop",
        "--val-share", 0.2, "--encoded", "png",
    )  # fmt: skip
    assert (made.returncode, made.stderr) == (0, "")
    assert made.stdout.splitlines()[:2] == [
        "data/train_images: 16 images", "data/val_images: 4 images",
    ]  # fmt: skip
    (tmp_path / "net.prototxt").write_text(NET)
    trained = protonet(
        "train", "net.prototxt", "--data", "data/train_images", "--val-data", "data/val_images",
        "--lr", 1e-4, "--epochs", 40, "--out", "run", "--quiet",
    )  # fmt: skip
    assert trained.returncode == 0, trained.stderr
    asked = protonet("infer", "run", "images/light/3.png")
    assert "light" in asked.stdout.splitlines()[1]
    refused = protonet("convert-folders", "images", "again", "--encoded", "tga")
    assert refused.returncode == 2
    assert "--encoded tga: expected one of" in refused.stderr
