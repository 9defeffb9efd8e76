"""A network of DIGITS' object detection, with the data layers that it came with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from protonet.data.shapes import create_shapes
from protonet.formats.caffemodel import read_weights
from protonet.jobs.inference.trained_run import Predictor
from protonet.jobs.predictions.boxes import BoxPredictions
from protonet.jobs.predictions.predict import predict_all
from protonet.jobs.predictions.summary import read_predictions
from protonet.jobs.run.settings import RunSettings
from protonet.jobs.training.resume import resume
from protonet.jobs.training.start import start
from protonet.proto.text import Source, read_net
from protonet.train.listeners import read_metrics
from protonet.train.trainer import Trainer
from tests.jobs.nets import net_of

EXAMPLE = Path(__file__).parents[2] / "examples" / "prototxt" / "detectnet" / "net.prototxt"
DATA = """
layer { name: "train_data" type: "Data" top: "data"
  data_param { backend: LMDB source: "/data/train" batch_size: 4 }
  include: { phase: TRAIN } }
layer { name: "train_label" type: "Data" top: "label"
  data_param { backend: LMDB source: "/data/train_labels" batch_size: 4 }
  include: { phase: TRAIN } }
layer { name: "val_data" type: "Data" top: "data"
  data_param { backend: LMDB source: "/data/val" batch_size: 2 }
  include: { phase: TEST stage: "val" } }
layer { name: "val_label" type: "Data" top: "label"
  data_param { backend: LMDB source: "/data/val_labels" batch_size: 2 }
  include: { phase: TEST stage: "val" } }
layer { name: "deploy_data" type: "Input" top: "data"
  input_param { shape { dim: 1 dim: 3 dim: 64 dim: 64 } }
  include: { phase: TEST not_stage: "val" } }
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "shapes"
    create_shapes(folder, 64, 64, 10, 4, seed=1, detectnet=True)
    return folder


@pytest.mark.parametrize("own", ["", DATA])
def test_its_text_trains_and_predicts(own: str, data: Path, tmp_path: Path) -> None:
    settings = RunSettings(
        data / "train_images", data / "train_boxes", val_data=data / "val_images",
        val_labels=data / "val_boxes", epochs=2.0, lr=0.001, solver="Adam", out=tmp_path / "run",
    )  # fmt: skip
    run = start(net_of(own + EXAMPLE.read_text()), settings).run
    tested = [line for line in read_metrics(run.metrics) if line["event"] == "tested"]
    assert {"loss_bbox", "loss_coverage", "mAP-circles"} <= tested[-1]["outputs"].keys()
    assert all(0 <= tested[-1]["outputs"][f"recall-{k}"] <= 100 for k in ("circles", "squares"))
    layers = read_net(Source.read(run.train_val)).net.layer
    sources = {layer.data_param.source for layer in layers if layer.type == "Data"}
    assert sources == {
        str(data / f"{part}_{what}") for part in ("train", "val") for what in ("images", "boxes")
    }
    # It subtracts 127 itself.
    assert not run.mean.exists()
    assert not any(layer.transform_param.mean_file for layer in layers)
    assert run.class_names() == ["background", "circle", "square", "triangle"]
    with Predictor(run) as predictor:
        (answer,) = predictor.predict([data / "test0.png"])
    assert answer.outputs.keys() == {"circles", "squares", "triangles"}
    assert answer.outputs["circles"].shape == (50, 5)
    assert np.isfinite(answer.outputs["squares"]).all()
    # A test on many images compares its boxes with those of the records.
    (tmp_path / "made").mkdir()
    predict_all(run, tmp_path / "made", data / "val_images", most=3)
    found = read_predictions(tmp_path / "made")
    assert isinstance(found, BoxPredictions)
    assert [each.name for each in found.summary().classes] == ["circle", "square", "triangle"]
    assert (found.about.count, found.about.output) == (3, "circles, squares, triangles")
    assert found.summary().mean.objects == sum(
        len(each.truths) for each in found.images(np.arange(3))
    )


def test_a_resumed_training_ends_with_the_same_bits(data: Path, tmp_path: Path) -> None:
    """Its augmentation too: the text flips images at random."""
    settings = RunSettings(
        data / "train_images", data / "train_boxes", batch_size=5, epochs=2.0, lr=0.001,
        shuffle=True, out=tmp_path / "whole",
    )  # fmt: skip
    whole = start(net_of(EXAMPLE.read_text()), settings)
    assert whole.result.iteration == 4

    def watch(trainer: Trainer) -> None:
        def begins() -> None:
            if trainer.iteration == 2:
                trainer.stop()

        trainer.callbacks.append((begins, lambda: None))

    text, later = net_of(EXAMPLE.read_text()), replace(settings, out=tmp_path / "part")
    part = start(text, later, on_trainer=watch)
    assert (part.result.interrupted, part.result.iteration) == (True, 3)
    again = resume(part.run.path)
    found, expected = (read_weights(run.snapshots().model(4)) for run in (again.run, whole.run))
    assert found.keys() == expected.keys()
    for name, arrays in expected.items():
        for array, other in zip(arrays, found[name], strict=True):
            np.testing.assert_array_equal(array, other)
