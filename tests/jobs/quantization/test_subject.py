"""What is quantized: a run, a model of DIGITS, a net of data layers, a deploy net."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from protonet.data.datum import make_datum
from protonet.data.writer import DatabaseWriter
from protonet.device import Device
from protonet.errors import DataError, FormatError, ProtonetError, UsageError
from protonet.formats.caffemodel import write_weights
from protonet.jobs.inference.classification import Preprocessing
from protonet.jobs.quantization.records import Block
from protonet.jobs.quantization.subject import Given, opened

GOLDEN = Path(__file__).parents[2] / "golden" / "digits"
DEPLOY = """
layer { name: "data" type: "Input" top: "data"
  input_param { shape { dim: 1 dim: 1 dim: 8 dim: 8 } } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
  inner_product_param { num_output: 10 weight_filler { type: "xavier" } } }
layer { name: "prob" type: "Softmax" bottom: "ip" top: "prob" }
"""
FIXED = DEPLOY.replace(
    'layer { name: "ip"',
    'layer { name: "flat" type: "Reshape" bottom: "data" top: "flat"\n'
    'reshape_param { shape { dim: 1 dim: 64 } } } layer { name: "ip"',
).replace('bottom: "data" top: "ip"', 'bottom: "flat" top: "ip"')


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    shutil.copytree(GOLDEN, tmp_path / "digits")
    return tmp_path / "digits"


def deploy(folder: Path, text: str = DEPLOY) -> Given:
    (folder / "deploy.prototxt").write_text(text)
    generator = np.random.default_rng(2)
    write_weights(
        folder / "w.caffemodel",
        {"ip": [generator.standard_normal((10, 64), np.float32), np.zeros(10, np.float32)]},
    )
    return Given(net=folder / "deploy.prototxt", weights=folder / "w.caffemodel")


def of_golden(folder: Path, **more: Path) -> Given:
    weights = folder / "digits_iter_200.caffemodel"
    return Given(net=folder / "train_val.prototxt", weights=weights, **more)


def test_a_net_with_data_layers(digits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(digits)
    with opened(of_golden(Path()), Device()) as subject:
        assert (subject.batch, subject.records.length) == (16, 297)
        net = subject.net()
        subject.records.put(net, Block(0, 16))
        net.forward()
        net.close()
    data = digits / "train_db"
    with opened(of_golden(digits, data=data), Device()) as subject:
        assert subject.records.length == 1500


def test_a_deploy_net(digits: Path) -> None:
    given = deploy(digits)
    how = Preprocessing(mean="10", input_scale=0.5)
    given = Given(net=given.net, weights=given.weights, data=digits / "test_db", how=how)
    with opened(given, Device()) as subject:
        assert (subject.batch, subject.records.length) == (16, 297)
        net = subject.net()
        classes = subject.records.put(net, Block(280, 16))
        assert classes is not None
        assert classes.max() <= 9
        assert net.inputs["data"].data.min() == -5
        net.close()


def test_a_net_of_one_batch(digits: Path) -> None:
    given = deploy(digits, FIXED)
    given = Given(net=given.net, weights=given.weights, data=digits / "test_db")
    with opened(given, Device()) as subject:
        assert subject.batch == 1


def test_a_model_of_digits(digits: Path) -> None:
    folder = digits.parent / "model"
    folder.mkdir()
    deploy(folder)
    (folder / "w.caffemodel").rename(folder / "snapshot_iter_7.caffemodel")
    (folder / "info.json").write_text(
        json.dumps({"deploy file": "deploy.prototxt", "mean subtraction": "none"})
    )
    with opened(Given(net=folder, data=digits / "test_db"), Device()) as subject:
        assert subject.weights.name == "snapshot_iter_7.caffemodel"
        subject.net().close()


def test_a_run(gradients: Path, regression: Path) -> None:
    with opened(Given(net=regression), Device()) as subject:
        assert subject.records.length == 10
        assert any("weights of iteration" in line for line in subject.notes)
        net = subject.net()
        subject.records.put(net, Block(0, 10))
        net.forward()
        net.close()
    given = Given(
        net=regression, data=gradients / "train_images", labels=gradients / "train_labels"
    )
    with opened(given, Device()) as subject:
        assert subject.records.length == 30


def test_what_cannot_be(digits: Path, regression: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(digits)
    given = deploy(digits)
    net, weights = given.net, given.weights
    assert weights is not None
    data = digits / "test_db"
    (digits / "bare.prototxt").write_text(
        'layer { name: "d" type: "DummyData" top: "d" dummy_data_param { shape { dim: 2 } } }'
    )
    other = digits / "other.caffemodel"
    write_weights(other, {"ip3": [np.zeros((3, 4), np.float32)]})
    golden = of_golden(Path()).net
    how = Preprocessing(mean="3")
    cases: list[tuple[Given, type[ProtonetError], str]] = [
        (Given(net=net, weights=weights), UsageError, "give --data"),
        (Given(net=net, weights=weights, data=data, labels=data), UsageError, "--labels is for"),
        (Given(net=net, weights=weights, data=data / "no"), DataError, "no such database, folder"),
        (Given(net=net, data=data), UsageError, "needs WEIGHTS behind it, or is no run"),
        (Given(net=digits / "no", data=data), UsageError, "no such run directory"),
        (Given(net=regression, weights=weights), UsageError, "has its own weights"),
        (Given(net=net, weights=weights, snapshot="3"), UsageError, "but WEIGHTS are given"),
        (Given(net=regression, how=how), UsageError, "has its own preprocessing"),
        (Given(net=golden, weights=weights, how=how), UsageError, "whose transform_param"),
        (Given(net=golden, weights=weights, labels=data), UsageError, "goes with --data"),
        (Given(net=digits / "bare.prototxt", weights=weights), UsageError, "no records"),
        (Given(net=digits / "bare.prototxt", weights=weights, data=data), UsageError, "no Data l"),
        (Given(net=net, weights=digits / "no", data=data), UsageError, "cannot be read"),
        (Given(net=net, weights=other, data=data), FormatError, "has no weights for ip of"),
        (Given(net=net, weights=net, data=data), FormatError, "expected a .caffemodel"),
    ]
    for case, kind, message in cases:
        with pytest.raises(kind, match=message), opened(case, Device()) as subject:
            subject.net().close()


def test_labels_of_a_database_of_their_own(tmp_path: Path, gradients: Path) -> None:
    text = """
    layer { name: "data" type: "Data" top: "data" data_param { batch_size: 5 source: "x" } }
    layer { name: "label" type: "Data" top: "label" data_param { batch_size: 5 source: "y" } }
    layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
      inner_product_param { num_output: 2 } }
    layer { name: "loss" type: "EuclideanLoss" bottom: "ip" bottom: "label" top: "loss" }
    """
    (tmp_path / "net.prototxt").write_text(text)
    net, weights = tmp_path / "net.prototxt", tmp_path / "w.caffemodel"
    images, labels = gradients / "train_images", gradients / "train_labels"
    with (
        pytest.raises(UsageError, match=r'layer "label" reads labels.*with --labels'),
        opened(Given(net=net, weights=weights, data=images), Device()),
    ):
        pass
    given = Given(net=net, weights=weights, data=images, labels=labels)
    with opened(given, Device()) as subject:
        assert subject.records.length == 30


def test_an_image_of_another_size_is_fitted(digits: Path) -> None:
    with DatabaseWriter(digits / "large") as writer:
        writer.put(b"0", make_datum(np.full((1, 16, 12), 7, np.uint8), label=99))
    given = deploy(digits)
    given = Given(net=given.net, weights=given.weights, data=digits / "large")
    with opened(given, Device()) as subject:
        net = subject.net()
        classes = subject.records.put(net, Block(0, 1))
        assert classes is not None
        assert classes[0] == -1
        np.testing.assert_array_equal(net.inputs["data"].data[0], 7)
        net.close()
