"""Small trainings for the tests of what is asked of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from protonet.data.datum import make_datum
from protonet.data.writer import DatabaseWriter
from protonet.jobs.run.directory import RunDirectory
from protonet.jobs.run.settings import RunSettings
from protonet.jobs.training.start import start
from protonet.proto.text import Source, read_net
from tests.web.conftest import NET

CLASSES = """
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "ip" type: "InnerProduct" bottom: "conv" top: "ip"
  inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss"
  exclude { stage: "deploy" } }
layer { name: "prob" type: "Softmax" bottom: "ip" top: "prob" include { stage: "deploy" } }
"""


def slopes(gradients: Path, out: Path) -> RunDirectory:
    """The seed's network, trained a little."""
    settings = RunSettings(
        gradients / "train_images",
        labels=gradients / "train_labels",
        val_data=gradients / "val_images",
        val_labels=gradients / "val_labels",
        epochs=3.0,
        batch_size=10,
        out=out,
    )
    return start(read_net(Source("net.prototxt", NET)), settings).run


def black_and_white(folder: Path) -> Path:
    """A database of dark and of bright images, of classes 0 and 1, with their names."""
    random = np.random.default_rng(4)
    with DatabaseWriter(folder / "db") as writer:
        for number in range(24):
            low = 150 * (number % 2)
            image = random.integers(low, low + 100, (1, 6, 7)).astype(np.uint8)
            writer.put(f"{number:03d}".encode(), make_datum(image, label=number % 2))
    (folder / "labels.txt").write_text("black\nwhite\n")
    return folder / "db"


def shades(database: Path, out: Path) -> RunDirectory:
    """A network that tells dark from bright."""
    settings = RunSettings(database, epochs=20.0, batch_size=8, lr=0.001, out=out)
    return start(read_net(Source("net.prototxt", CLASSES)), settings).run
