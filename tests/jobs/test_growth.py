"""Nothing of a training grows with its iterations."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path

import pytest

from protonet.data.create import create_gradients
from protonet.jobs.run.settings import RunSettings
from protonet.jobs.training.start import start
from protonet.proto.text import Source, read_net
from protonet.train.trainer import Trainer

NET = Path(__file__).parents[2] / "examples" / "prototxt" / "gradients" / "net.prototxt"
FIRST, LAST = 1000, 2000
MOST = 100
"""Bytes an iteration: the curves of loss.png still fill up, to their bounded length."""


@pytest.mark.long
def test_a_training_holds_no_more_after_many_iterations(tmp_path: Path) -> None:
    create_gradients(tmp_path / "data", 20, 16, 2000, 10, seed=1)
    data = tmp_path / "data"
    settings = RunSettings(
        data=data / "train_images", labels=data / "train_labels", batch_size=10, epochs=10,
        val_data=data / "val_images", val_labels=data / "val_labels",
        out=tmp_path / "run", lr_policy="fixed",
    )  # fmt: skip
    held: dict[int, int] = {}

    def look() -> None:
        if trainers[0].iteration in (FIRST, LAST - 1):
            gc.collect()
            held[trainers[0].iteration] = tracemalloc.get_traced_memory()[0]

    def watch(trainer: Trainer) -> None:
        trainers.append(trainer)
        trainer.callbacks.append((look, lambda: None))

    trainers: list[Trainer] = []
    tracemalloc.start()
    try:
        start(read_net(Source.read(NET)), settings, on_trainer=watch)
    finally:
        tracemalloc.stop()
    assert list(held) == [FIRST, LAST - 1]
    assert held[LAST - 1] - held[FIRST] < MOST * (LAST - FIRST), held
