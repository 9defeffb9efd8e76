"""The example networks: small ones go the whole way on a few images, large ones a pass each way."""

from __future__ import annotations

import json
import math
import re
import runpy
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from protonet.blob import Param
from protonet.cli.app import app
from protonet.data.create import create_gradients
from protonet.data.datum import encode_image, make_datum
from protonet.data.shapes import create_shapes
from protonet.data.writer import DatabaseWriter
from protonet.device import Device
from protonet.errors import DataError
from protonet.formats.caffemodel import read_weights
from protonet.graph.net import Net
from protonet.graph.plan import Plan
from protonet.graph.planning import plan_net
from protonet.jobs.evaluation.validation import evaluated
from protonet.jobs.inference.open_net import open_net
from protonet.jobs.inference.trained_run import Predictor
from protonet.jobs.run.directory import RunDirectory
from protonet.jobs.run.settings import RunSettings, SolverSettings
from protonet.jobs.training.start import start, start_solver
from protonet.proto.caffe_pb2 import TEST, TRAIN
from protonet.proto.text import NetDefinition, Source, read_net
from protonet.train.listeners import read_metrics

EXAMPLES = Path(__file__).parents[1] / "examples" / "prototxt"
CLASSIFIERS = {
    "lenet": (1, 28, 28),
    "cifar10": (3, 32, 32),
    "squeezenet": (3, 227, 227),
}
IMAGENET = {
    "alexnet": (1, 3, 227, 227),
    "vgg16": (1, 3, 224, 224),
    "googlenet": (1, 3, 224, 224),
    "resnet50": (2, 3, 224, 224),
    "mobilenet": (2, 3, 224, 224),
}
"""The data that fits into the time and memory of a test; BatchNorm needs two images."""
OTHERS = (
    *("gradients", "fcn", "lstm", "siamese", "autoencoder", "shapes", "segments"),
    "detectnet",
)
PARAMETERS = {
    "lenet": 431_080,
    "cifar10": 145_578,
    "squeezenet": 1_235_496,
    "alexnet": 60_965_224,
    "vgg16": 138_357_544,
    "googlenet": 13_378_280,
    "resnet50": 25_557_032,
    "mobilenet": 4_231_976,
}
"""The published numbers of values to learn, with 10 classes or 1,000."""


def definition_of(name: str, inputs: Mapping[str, Sequence[int]] | None = None) -> NetDefinition:
    """The example with Input layers of these shapes, and 10 classes where it leaves that open."""
    path = EXAMPLES / name / "net.prototxt"
    head = "".join(
        f'layer {{ name: "{top}" type: "Input" top: "{top}" input_param {{ shape {{ '
        f"{' '.join(f'dim: {extent}' for extent in shape)} }} }} }}\n"
        for top, shape in (inputs or {}).items()
    )
    definition = read_net(Source(str(path), head + path.read_text()))
    for layer in definition.net.layer:
        if layer.type == "InnerProduct" and not layer.inner_product_param.HasField("num_output"):
            layer.inner_product_param.num_output = 10
    return definition


def plan_of(name: str, stage: str, inputs: Mapping[str, Sequence[int]] | None = None) -> Plan:
    phase = TRAIN if stage == "train" else TEST
    return plan_net(definition_of(name, inputs), phase=phase, stages=[stage])


def learned_by(plan: Plan) -> int:
    """How many values the solver changes."""
    return sum(
        math.prod(param.weight.shape)
        for step in plan.steps
        for param in step.params
        if param.owner is None and param.lr_mult
    )


def net_that_has_learned(plan: Plan, classes: int) -> Net:
    """A net after a pass each way, of which every parameter got a gradient.

    Biases of zero are replaced by small numbers first: behind one, a scale that a BatchNorm of the
    same channel follows has no influence, so no gradient.
    """
    net = Net(plan, Device("cpu"))
    generator = np.random.default_rng(0)
    net.blobs["data"].data[...] = generator.normal(size=net.blobs["data"].shape)
    net.blobs["label"].data[...] = generator.integers(0, classes, net.blobs["label"].shape)
    learned = learned_params(net)
    for param in learned.values():
        if not param.data.any():
            param.data[...] = generator.normal(0, 0.1, param.shape)
    net.forward()
    net.backward()
    lacking = [
        name
        for name, param in learned.items()
        if not (np.isfinite(param.diff).all() and np.abs(param.diff).max() > 1e-6)
    ]
    assert lacking == []
    return net


def learned_params(net: Net) -> dict[str, Param]:
    return {
        f"{layer}/{place}": param
        for layer, params in net.params.items()
        for place, param in enumerate(params)
        if param.lr_mult
    }


def write_database(path: Path, images: Sequence[np.ndarray], labels: Sequence[int] = ()) -> Path:
    with DatabaseWriter(path) as database:
        for index, image in enumerate(images):
            label = labels[index] if labels else None
            database.put(str(index).encode(), make_datum(image, label=label))
    return path


def evaluations(run: RunDirectory) -> list[dict[str, Any]]:
    """What was written down of every test pass."""
    return [line for line in read_metrics(run.metrics) if line["event"] == "tested"]


def test_every_example_is_run_and_has_a_readme() -> None:
    names = {path.name for path in EXAMPLES.iterdir()}
    assert names == {*CLASSIFIERS, *IMAGENET, *OTHERS}
    assert all((EXAMPLES / name / "README.md").exists() for name in names)


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.iterdir()))
def test_the_commands_of_a_readme_can_be_typed(name: str, tmp_path: Path) -> None:
    """They go wrong for the reason alone that no such database."""
    text = (EXAMPLES / name / "README.md").read_text()
    commands = re.findall(r"protonet (train )(\w+\.prototxt)( [^\n`]+)", text)
    assert commands or name == "lstm"
    for words, file, options in commands:
        command = f"{words}{EXAMPLES / name / file}{options}"
        outcome = CliRunner().invoke(app, [*command.split(), "--out", str(tmp_path / "run")])
        assert isinstance(outcome.exception, DataError)
        assert "no such database" in str(outcome.exception)


@pytest.mark.parametrize("name", sorted(CLASSIFIERS))
def test_a_classifier_trains_and_answers(name: str, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    images = [generator.integers(0, 256, CLASSIFIERS[name], np.uint8) for _ in range(4)]
    write_database(tmp_path / "db", images, [0, 1, 2, 0])
    settings = RunSettings(
        tmp_path / "db",
        val_data=tmp_path / "db",
        epochs=2.0,
        batch_size=2,
        lr=0.001,
        mean="none",
        out=tmp_path / "run",
    )
    outcome = start(read_net(Source.read(EXAMPLES / name / "net.prototxt")), settings)
    tested = evaluations(outcome.run)
    assert [line["iteration"] for line in tested] == [0, 2, 4]
    assert all(0 <= line["outputs"]["accuracy"] <= 1 for line in tested)
    (tmp_path / "x.png").write_bytes(encode_image(images[3]))
    (answer,) = Predictor(outcome.run).predict([tmp_path / "x.png"])
    assert answer.outputs["softmax"].sum() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("name", sorted(PARAMETERS))
def test_the_parameters_are_as_many_as_published(name: str) -> None:
    data = (1, *CLASSIFIERS[name]) if name in CLASSIFIERS else IMAGENET[name]
    assert learned_by(plan_of(name, "train", {"data": data, "label": data[:1]})) == PARAMETERS[name]


def test_googlenet_has_its_auxiliary_classifiers_in_training_only() -> None:
    for stage in ("val", "deploy"):
        inputs = {"data": IMAGENET["googlenet"], "label": (1,)}
        assert learned_by(plan_of("googlenet", stage, inputs)) == 6_998_552


@pytest.mark.parametrize("name", sorted(IMAGENET))
def test_an_imagenet_network_learns_and_answers(name: str) -> None:
    inputs = {"data": IMAGENET[name], "label": IMAGENET[name][:1]}
    trained = net_that_has_learned(plan_of(name, "train", inputs), 1000)
    losses = {top: (value.item(), weight) for top, value, weight in trained.outputs()}
    expected = {"loss": 1.0}
    if name == "googlenet":
        expected |= {"loss1/loss": 0.3, "loss2/loss": 0.3}
    assert {top: pytest.approx(weight) for top, (_, weight) in losses.items()} == expected
    for loss, _ in losses.values():
        assert loss == pytest.approx(math.log(1000), abs=1)
    for stage in ("val", "deploy"):
        given = inputs if stage == "val" else {"data": inputs["data"]}
        net = Net(plan_of(name, stage, given), Device("cpu"), params_of=trained)
        for top in given:
            net.blobs[top].data[...] = trained.blobs[top].data
        net.forward()
        outputs = {top: values for top, values, _ in net.outputs()}
        if stage == "val":
            assert outputs.keys() == {"accuracy", "loss"}
            assert np.isfinite(outputs["loss"])
        else:
            assert outputs.keys() == {"softmax"}
            assert outputs["softmax"].shape == (*inputs["label"], 1000)
            assert outputs["softmax"].sum(axis=1) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("size", [(96, 64), (75, 50)])
def test_fcn_scores_every_pixel(size: tuple[int, int]) -> None:
    inputs = {"data": (2, 3, *size), "label": (2, 1, *size)}
    plan = plan_of("fcn", "train", inputs)
    assert plan.last["pixels"].shape == (2, 21, *size)
    assert net_that_has_learned(plan, 21).loss() == pytest.approx(math.log(21), abs=0.5)


def test_fcn_interpolates_between_the_right_places() -> None:
    """Scores that are their own place in the image still are after each step, but at the border."""
    net = Net(plan_of("fcn", "deploy", {"data": (1, 3, 160, 128)}), Device("cpu"))
    steps = {step.name: step for step in net.plan.steps}
    layers = {layer.name: layer for layer in net.layers}
    for up, crop, coarse, fine in (
        ("upscore_pool4", "crop_pool4", 32, 16),
        ("upscore_pool3", "crop_pool3", 16, 8),
        ("upscore_data", "pixels", 8, 1),
    ):
        x, y, z = (
            np.zeros(value.shape, np.float32)
            for value in (steps[up].bottoms[0], steps[up].tops[0], steps[crop].tops[0])
        )
        x[...] = (np.arange(x.shape[2])[:, None] + 0.5) * coarse
        layers[up].forward([x], [y])
        layers[crop].forward([y, z], [z])
        places = np.broadcast_to((np.arange(z.shape[2])[:, None] + 0.5) * fine, z.shape)
        inside = (..., *[slice(coarse // fine, -(coarse // fine))] * 2)
        np.testing.assert_allclose(z[inside], places[inside], rtol=1e-5)


def test_fcn_trains_on_maps_of_labels(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    images = [generator.integers(0, 256, (3, 48, 64), np.uint8) for _ in range(4)]
    maps = [generator.integers(0, 21, (1, 48, 64), np.uint8) for _ in range(4)]
    for each in maps:
        each[:, :, 40:] = 255
    data, labels = (
        write_database(tmp_path / name, rows) for name, rows in (("data", images), ("maps", maps))
    )
    settings = RunSettings(
        data,
        labels=labels,
        val_data=data,
        val_labels=labels,
        epochs=2.0,
        batch_size=2,
        lr=0.001,
        out=tmp_path / "run",
    )
    outcome = start(read_net(Source.read(EXAMPLES / "fcn" / "net.prototxt")), settings)
    assert [line["iteration"] for line in evaluations(outcome.run)] == [0, 2, 4]
    (tmp_path / "x.png").write_bytes(encode_image(images[3]))
    (answer,) = Predictor(outcome.run).predict([tmp_path / "x.png"])
    assert answer.outputs["softmax"].shape == (21, 48, 64)
    assert answer.outputs["softmax"].sum(axis=0) == pytest.approx(1, abs=1e-4)


def test_lstm_learns_a_text_and_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "lstm"
    shutil.copytree(EXAMPLES / "lstm", folder)
    (tmp_path / "text").write_bytes(b"one two three four five six seven eight nine ten " * 400)
    runpy.run_path(str(folder / "text_to_hdf5.py"))["main"](tmp_path / "text", folder)
    solver = folder / "solver.prototxt"
    solver.write_text(
        solver.read_text()
        .replace("max_iter: 2000", "max_iter: 100")
        .replace("test_iter: 20", "test_iter: 2")
        .replace("test_interval: 500", "test_interval: 100")
    )
    monkeypatch.chdir(folder)
    outcome = start_solver(solver, SolverSettings(out=tmp_path / "run"))
    first, last = (line["outputs"]["loss"] for line in evaluations(outcome.run))
    assert first == pytest.approx(math.log(256), abs=0.01)
    assert last < 3
    write = runpy.run_path(str(folder / "write_text.py"))["continue_text"]
    text = write(folder / "lstm_iter_100.caffemodel", b"one two ", 30)
    assert len(text) == 30
    assert sum(byte in b" efghinorstuvwx" for byte in text) > 20


def test_siamese_branches_are_one_and_tell_pairs(tmp_path: Path) -> None:
    """Two kinds of images, bright above and bright on the left, are soon told apart."""
    kinds = [np.zeros((28, 28), np.uint8) for _ in range(2)]
    kinds[0][:14], kinds[1][:, :14] = 200, 200
    pairs = [np.stack([kinds[i % 2], kinds[i // 2 % 2]]) for i in range(16)]
    alike = [int(i % 2 == i // 2 % 2) for i in range(16)]
    db = write_database(tmp_path / "db", pairs, alike)
    settings = RunSettings(
        db, val_data=db, epochs=10.0, batch_size=8, mean="none", out=tmp_path / "run",
        val_every=10.0, snapshot_every=0.0,
    )  # fmt: skip
    outcome = start(read_net(Source.read(EXAMPLES / "siamese" / "net.prototxt")), settings)
    first, last = (line["outputs"]["loss"] for line in evaluations(outcome.run))
    assert last < 0.1 < first
    weights = read_weights(outcome.run.snapshots().model(outcome.result.iteration))
    assert sum(array.size for name in weights for array in weights[name]) == 2 * 431_102
    for name in ("conv1", "conv2", "ip1", "ip2", "feat"):
        for left, right in zip(weights[name], weights[f"{name}_p"], strict=True):
            assert np.array_equal(left, right)
    plan = plan_net(read_net(Source.read(outcome.run.deploy)), phase=TEST, stages=["deploy"])
    net = Net(plan, Device("cpu"))
    net.load(weights, "the snapshot")
    far = []
    for pair in pairs[:2]:
        net.blobs["data"].data[0] = pair
        net.forward()
        ((top, distance, _),) = net.outputs()
        assert (top, distance.shape) == ("distance", (1,))
        far.append(distance.item())
    assert far[0] == 0 < 0.25 < far[1]


def test_autoencoder_learns_to_give_images_back(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    images = []
    for _ in range(20):
        top, left = generator.integers(2, 14, 2)
        image = np.zeros((1, 28, 28), np.uint8)
        image[:, top : top + 10, left : left + 10] = 255
        images.append(image)
    db = write_database(tmp_path / "db", images)
    settings = RunSettings(
        db, val_data=db, epochs=15.0, batch_size=10, mean="none", out=tmp_path / "run",
        val_every=15.0, snapshot_every=0.0,
    )  # fmt: skip
    outcome = start(read_net(Source.read(EXAMPLES / "autoencoder" / "net.prototxt")), settings)
    first, last = (line["outputs"] for line in evaluations(outcome.run))
    assert first.keys() == {"loss", "distance"}
    assert last["loss"] < first["loss"] / 2
    assert last["distance"] < first["distance"] / 2
    weights = read_weights(outcome.run.snapshots().model(outcome.result.iteration))
    assert sum(array.size for name in weights for array in weights[name]) == 2_837_314
    (tmp_path / "x.png").write_bytes(encode_image(images[0]))
    (answer,) = Predictor(outcome.run).predict([tmp_path / "x.png"])
    assert answer.outputs["pixels"].shape == (784,)
    assert 0 <= answer.outputs["pixels"].min() <= answer.outputs["pixels"].max() <= 1


@pytest.mark.long
def test_the_detector_finds_shapes(tmp_path: Path) -> None:
    """What its page promises, most of the shapes and little else. To save time it is trained in
    fewer epochs than there, of more iterations.
    """
    data = tmp_path / "data"
    create_shapes(data, 64, 64, 1000, 200, seed=0)
    settings = RunSettings(
        data / "train_images", val_data=data / "val_images", batch_size=10, epochs=4.0,
        solver="Adam", lr=0.002, val_every=4.0, snapshot_every=0.0, out=tmp_path / "run",
    )  # fmt: skip
    run = start(read_net(Source.read(EXAMPLES / "shapes" / "net.prototxt")), settings).run
    area, points = mean_average_precisions(run, images=200, classes=(1, 2, 3))
    assert area > 0.95
    assert points > 0.9
    assert evaluations(run)[-1]["outputs"]["detection_eval"] > 0.95
    with Predictor(run) as predictor:
        (answer,) = predictor.predict([data / "test0.png"])
    rows = answer.outputs["detection_out"].reshape(-1, 7)
    found = rows[rows[:, 2] > 0.5]
    truths = json.loads((data / "test.json").read_text())["test0.png"]
    assert sorted(found[:, 1].tolist()) == sorted(each["label"] for each in truths)


@pytest.mark.long
def test_detectnet_finds_shapes(tmp_path: Path) -> None:
    """What its page promises, of the same images with their boxes in DIGITS' form."""
    data = tmp_path / "data"
    create_shapes(data, 64, 64, 1000, 200, seed=0, detectnet=True)
    settings = RunSettings(
        data / "train_images", data / "train_boxes", val_data=data / "val_images",
        val_labels=data / "val_boxes", batch_size=8, epochs=14.0, solver="Adam", lr=0.003,
        val_every=14.0, snapshot_every=0.0, out=tmp_path / "run",
    )  # fmt: skip
    run = start(read_net(Source.read(EXAMPLES / "detectnet" / "net.prototxt")), settings).run
    outputs = evaluations(run)[-1]["outputs"]
    for kind in ("circles", "squares", "triangles"):
        assert outputs[f"precision-{kind}"] > 85
        assert outputs[f"recall-{kind}"] > 85
    with Predictor(run) as predictor:
        (answer,) = predictor.predict([data / "test0.png"])
    truths = json.loads((data / "test.json").read_text())["test0.png"]
    counts = [int(np.count_nonzero(answer.outputs[kind][..., 4])) for kind in
              ("circles", "squares", "triangles")]  # fmt: skip
    assert counts == [sum(each["label"] == label for each in truths) for label in (1, 2, 3)]


def mean_average_precisions(
    run: RunDirectory, *, images: int, classes: Sequence[int]
) -> tuple[float, float]:
    """On the validation images: the area under the curve, and VOC 2007's mean at 11 recalls."""
    tested = evaluated(run)
    net = open_net(tested.definition, tested.net_options)
    rows = np.zeros((0, 5))
    for _ in range(images // net.items):
        net.forward()
        outputs = {name: values for name, values, _ in net.outputs()}
        rows = np.concatenate([rows, outputs["detection_eval"].reshape(-1, 5)])
    net.close()
    areas, points = [], []
    for label in classes:
        own = rows[rows[:, 1] == label]
        objects = own[own[:, 0] == -1, 2].sum()
        found = own[own[:, 0] != -1]
        right, wrong = found[np.argsort(-found[:, 2], kind="stable"), 3:].cumsum(axis=0).T
        recall, precision = right / objects, right / np.maximum(right + wrong, 1)
        best = np.maximum.accumulate(precision[::-1])[::-1]
        areas.append((np.diff(recall, prepend=0) * best).sum())
        at_least = [best[recall >= wanted] for wanted in np.linspace(0, 1, 11)]
        points.append(np.mean([each.max(initial=0) for each in at_least]))
    return float(np.mean(areas)), float(np.mean(points))


@pytest.mark.parametrize("seed", range(10))
def test_the_seed_example_learns_the_slopes_with_defaults(seed: int, tmp_path: Path) -> None:
    """What its page promises: 15 epochs of the default settings, whatever the seed."""
    data = tmp_path / "data"
    create_gradients(data, 50, 50, 100, 20, seed=seed)
    settings = RunSettings(
        data / "train_images", data / "train_labels", val_data=data / "val_images",
        val_labels=data / "val_labels", epochs=15, seed=seed, out=tmp_path / "run",
    )  # fmt: skip
    outcome = start(read_net(Source.read(EXAMPLES / "gradients" / "net.prototxt")), settings)
    with Predictor(outcome.run) as predictor:
        (answer,) = predictor.predict([data / "test.png"])
    np.testing.assert_allclose(answer.outputs["output"].ravel(), [0.5, 0.5], rtol=0, atol=0.015)
