"""A detector from a pasted network to predictions, and with the solver files of the SSD fork."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protonet.data.datum import encode_image
from protonet.data.interpolation import Interpolation, resample
from protonet.device import Device
from protonet.errors import NetworkError
from protonet.formats.caffemodel import read_weights
from protonet.graph.net import Net
from protonet.graph.planning import plan_net
from protonet.jobs.evaluation.full_dataset import average_set, opener
from protonet.jobs.evaluation.validation import evaluated
from protonet.jobs.inference.trained_run import Predictor
from protonet.jobs.run.directory import RunDirectory
from protonet.jobs.run.settings import RunSettings, SolverSettings
from protonet.jobs.training.resume import ResumeOptions, resume
from protonet.jobs.training.start import Outcome, start, start_solver
from protonet.layers.annotated_data import AnnotatedData
from protonet.proto.caffe_pb2 import TEST
from protonet.proto.text import NetDefinition, Source, read_net
from protonet.train.listeners import read_metrics
from protonet.train.trainer import Trainer
from tests.jobs.nets import DETECTOR, detector_run, net_of

OWN = """
layer { name: "data" type: "AnnotatedData" top: "data" top: "label" include { phase: TRAIN }
  data_param { batch_size: 3 } transform_param { mirror: true mean_value: 60
    resize_param { height: 24 width: 32 interp_mode: LINEAR interp_mode: AREA }
    expand_param { prob: 0.5 max_expand_ratio: 2 } emit_constraint { emit_type: CENTER } }
  annotated_data_param { batch_sampler { max_sample: 1 max_trials: 1 } batch_sampler {
    sampler { min_scale: 0.3 min_aspect_ratio: 0.5 max_aspect_ratio: 2 }
    sample_constraint { min_jaccard_overlap: 0.3 } max_sample: 1 max_trials: 50 } } }
"""


def trained(
    data: Path, out: Path, text: str = DETECTOR, stop_at: int | None = None, **more: Any
) -> Outcome:
    """A training on the shapes, which may be stopped before an iteration ends."""
    given: dict[str, Any] = {"batch_size": 4, "epochs": 2.0, "lr": 0.001, "shuffle": True, **more}
    settings = RunSettings(data / "train_images", val_data=data / "val_images", out=out, **given)
    return start(net_of(text), settings, on_trainer=stopping(stop_at))


def stopping(iteration: int | None) -> Callable[[Trainer], None]:
    def watch(trainer: Trainer) -> None:
        def begins() -> None:
            if trainer.iteration + 1 == iteration:
                trainer.stop()

        trainer.callbacks.append((begins, lambda: None))

    return watch


def weights_at(run: RunDirectory, iteration: int) -> dict[str, list[np.ndarray]]:
    return read_weights(run.snapshots().model(iteration))


def test_from_a_pasted_network_to_boxes(shapes: Path, tmp_path: Path) -> None:
    outcome = trained(shapes, tmp_path / "run")
    run = outcome.run
    assert outcome.result.iteration == 6
    assert any('they need labels: "loss", "eval"' in note for note in outcome.notes)
    lines = read_metrics(run.metrics)
    tested = [line["outputs"] for line in lines if line["event"] == "tested"]
    assert all(set(outputs) == {"eval", "eval/coco", "loss"} for outputs in tested)
    assert run.best(run.iterations()) in run.iterations()
    assert not run.mean.exists()
    types = [layer.type for layer in read_net(Source.read(run.deploy)).net.layer]
    assert (types[0], types[-1]) == ("Input", "DetectionOutput")
    assert not {"MultiBoxLoss", "DetectionEvaluate", "AnnotatedData"} & set(types)
    with Predictor(run) as predictor:
        (answer,) = predictor.predict([shapes / "test0.png"])
        assert predictor.class_names == ["background", "circle", "square", "triangle"]
    rows = answer.outputs["found"].reshape(-1, 7)
    assert 1 <= len(rows) <= 5
    assert set(rows[:, 1]) <= {1, 2, 3}


def test_the_mean_of_each_channel_is_subtracted(shapes: Path, tmp_path: Path) -> None:
    run = trained(shapes, tmp_path / "run", epochs=1.0).run
    train, val, *_ = read_net(Source.read(run.train_val)).net.layer
    plan = plan_net(one_layer(run), phase=TEST)
    layer = plan.steps[0].layer
    assert isinstance(layer, AnnotatedData)
    assert layer.database is not None
    records = [layer.database.image(key)[0] for key in layer.database.keys()]  # noqa: SIM118 - no dict
    plan.close()
    expected = np.mean(np.stack(records).astype(np.float64), axis=(0, 2, 3))
    np.testing.assert_allclose(train.transform_param.mean_value, expected, rtol=1e-6)
    assert list(val.transform_param.mean_value) == list(train.transform_param.mean_value)
    none = trained(shapes, tmp_path / "none", epochs=1.0, mean="none").run
    assert not read_net(Source.read(none.train_val)).net.layer[0].transform_param.mean_value


def one_layer(run: RunDirectory) -> NetDefinition:
    """The data layer of training, in phase TEST."""
    definition = read_net(Source.read(run.train_val))
    layer = definition.net.layer[0]
    layer.ClearField("include")
    return definition.with_layers([layer], [()])


@pytest.mark.long
def test_a_resumed_detector_ends_with_the_same_bits(shapes: Path, tmp_path: Path) -> None:
    """With augmentation, and after the run and its files have moved."""
    text = OWN + DETECTOR
    whole = trained(shapes, tmp_path / "whole", text, batch_size=None, epochs=3.0)
    part = trained(shapes, tmp_path / "part", text, stop_at=5, batch_size=None, epochs=3.0)
    assert part.result.interrupted
    shutil.copytree(shapes, tmp_path / "moved")
    (tmp_path / "part").rename(tmp_path / "later")
    (tmp_path / "moved" / "test_name_size.txt").unlink()
    moved = {
        "data": tmp_path / "moved" / "train_images",
        "val_data": tmp_path / "moved" / "val_images",
    }
    again = resume(tmp_path / "later", ResumeOptions(moved=moved))
    assert again.result.iteration == whole.result.iteration == 12
    expected = weights_at(whole.run, 12)
    for name, arrays in weights_at(again.run, 12).items():
        for found, wanted in zip(arrays, expected[name], strict=True):
            np.testing.assert_array_equal(found, wanted)
    lines = [
        [line for line in read_metrics(run.metrics) if line["event"] == "tested"][-1]["outputs"]
        for run in (whole.run, again.run)
    ]
    assert lines[0] == lines[1]


def test_images_are_resized_as_in_training(shapes: Path, tmp_path: Path) -> None:
    """Once, to the size of the network: not to that of the first training image before."""
    text = OWN.replace("height: 24 width: 32", "height: 16 width: 24") + DETECTOR
    run = trained(shapes, tmp_path / "run", text, batch_size=None, epochs=1.0).run
    pixels = np.random.default_rng(0).integers(0, 256, (3, 70, 90), np.uint8)
    (tmp_path / "large.png").write_bytes(encode_image(pixels))
    with Predictor(run) as predictor:
        found = predictor.activations(tmp_path / "large.png")
    expected = resample(pixels, 16, 24, Interpolation.LINEAR).astype(np.float32) - 60
    np.testing.assert_allclose(found.seen, expected, atol=1e-4)
    assert found.prediction.note == "resized from 90x70 to 24x16"


def test_a_run_is_tested_on_other_images(shapes: Path, tmp_path: Path) -> None:
    run = trained(shapes, tmp_path / "run", OWN + DETECTOR, batch_size=None, epochs=1.0).run
    own = evaluated(run)
    assert sizes_of(own.definition) == str(run.name_sizes.resolve())
    other = evaluated(run, data=shapes / "train_images")
    assert sizes_of(other.definition) == ""
    beside = evaluated(run, data=shapes / "val_images")
    assert sizes_of(beside.definition) == str(shapes / "test_name_size.txt")
    opened = opener(own.definition, own.net_options, None)
    found = average_set(opened, 1, lambda *_: None, once=True)
    assert found.length == 5
    with pytest.raises(NetworkError, match="reads boxes, but"):
        start(net_of(OWN + DETECTOR), RunSettings(plain(tmp_path), out=tmp_path / "x"))
    assert not (tmp_path / "x").exists()


def plain(folder: Path) -> Path:
    from protonet.data.create import create_gradients

    create_gradients(folder / "plain", 20, 17, 3, 1)
    return folder / "plain" / "train_images"


def sizes_of(definition: NetDefinition) -> str:
    return next(
        layer.detection_evaluate_param.name_size_file
        for layer in definition.net.layer
        if layer.type == "DetectionEvaluate"
    )


def test_a_run_without_validation_is_tested_without_augmentation(
    shapes: Path, tmp_path: Path
) -> None:
    settings = RunSettings(shapes / "train_images", out=tmp_path / "run", epochs=1.0)
    run = start(net_of(OWN + DETECTOR), settings).run
    found = evaluated(run, data=shapes / "val_images")
    (layer,) = (each for each in found.definition.net.layer if each.type == "AnnotatedData")
    assert not layer.annotated_data_param.batch_sampler
    names = {field.name for field, _ in layer.transform_param.ListFields()}
    assert names == {"resize_param", "mean_value"}


def test_the_solver_files_of_the_ssd_fork(shapes: Path, tmp_path: Path) -> None:
    """A net to train and a net to test, with the fields that its scripts write."""
    data = """
layer { name: "data" type: "AnnotatedData" top: "data" top: "label"
  transform_param { mean_value: 104 mean_value: 117 mean_value: 123
    resize_param { prob: 1 resize_mode: WARP height: 24 width: 32 interp_mode: LINEAR } }
  data_param { source: "%s" batch_size: %d backend: LMDB }
  annotated_data_param { label_map_file: "%s" } }
"""
    folder = tmp_path / "jobs"
    folder.mkdir()
    label_map = shapes / "labelmap.prototxt"
    layers = DETECTOR.split("layer {")
    train = "layer {".join(each for each in layers if "include" not in each)
    test = "layer {".join(each for each in layers if '"loss"' not in each)
    test = test.replace("include { phase: TEST }", "").replace(
        'num_classes: 4 } }\n', f'num_classes: 4 overlap_threshold: 0.5 name_size_file: '
        f'"{shapes}/test_name_size.txt" }} }}\n'
    )  # fmt: skip
    (folder / "train.prototxt").write_text(data % (shapes / "train_images", 4, label_map) + train)
    (folder / "test.prototxt").write_text(data % (shapes / "val_images", 5, label_map) + test)
    solver = folder / "solver.prototxt"
    solver.write_text(
        f'train_net: "{folder}/train.prototxt"\ntest_net: "{folder}/test.prototxt"\n'
        "test_iter: 1\ntest_interval: 2\nbase_lr: 0.001\ndisplay: 1\nmax_iter: 4\n"
        'lr_policy: "multistep"\ngamma: 0.1\nmomentum: 0.9\nweight_decay: 0.0005\nsnapshot: 2\n'
        f'snapshot_prefix: "{folder}/VGG"\nsolver_mode: CPU\ndebug_info: false\n'
        "snapshot_after_train: true\nstepvalue: 3\ntest_initialization: false\n"
        'average_loss: 10\niter_size: 1\ntype: "SGD"\neval_type: "detection"\n'
        'ap_version: "11point"\ntest_compute_loss: false\nshow_per_class_result: true\n'
    )
    outcome = start_solver(solver, SolverSettings(out=tmp_path / "run"))
    assert outcome.result.iteration == 4
    assert (folder / "VGG_iter_4.caffemodel").is_file()
    run = outcome.run
    assert run.class_names() == ["background", "circle", "square", "triangle"]
    logged = run.log.read_text()
    assert re.search(r"Test net output #0: eval = 0(\.\d+)?\n", logged)
    assert re.search(r"Test net output #3: eval/class2 = ", logged)
    with Predictor(run) as predictor:
        (answer,) = predictor.predict([shapes / "test1.png"])
    assert answer.outputs["found"].shape[-1] == 7
    definition = read_net(Source.read(run.path / "test_0.prototxt"))
    net = Net(plan_net(definition, phase=TEST), Device(), gradients=False)
    net.load(read_weights(folder / "VGG_iter_4.caffemodel"), "VGG")
    net.forward()
    rows = next(values for name, values, _ in net.outputs() if name == "eval")
    assert np.asarray(rows).reshape(-1, 5)[:3, :2].tolist() == [[-1, 1], [-1, 2], [-1, 3]]
    net.close()


def test_a_training_leaves_no_threads(tmp_path: Path) -> None:
    detector_run(tmp_path)
    assert [t.name for t in threading.enumerate() if t.name.startswith("protonet-data")] == []
