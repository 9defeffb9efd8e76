"""Whole nets as ONNX models, and every golden layer that ONNX can express."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from protonet.errors import FormatError, NetworkError, UsageError
from protonet.formats.caffemodel import write_weights
from protonet.jobs.definitions.network import make_deploy
from protonet.onnx import export
from protonet.onnx.conversion import CONVERTERS
from protonet.onnx.export import export_net, write_model
from protonet.proto.text import Source, read_net
from tests.onnx.beside import ask, definition, hold, layer, values

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"


def cases() -> list[str]:
    found = []
    for path in sorted(GOLDEN.glob("*/*/data.npz")):
        if path.parent.parent.name not in ("Input", "solvers"):
            net = read_net(Source.read(path.with_name("net.prototxt")))
            if all(layer.type in {*CONVERTERS, "Input"} for layer in net.net.layer):
                found.append(str(path.parent.relative_to(GOLDEN)))
    return found


@pytest.mark.parametrize("case", cases())
def test_single_layers(case: str, tmp_path: Path) -> None:
    data = np.load(GOLDEN / case / "data.npz")
    net = read_net(Source.read(GOLDEN / case / "net.prototxt"))
    weights = None
    params = [data[f"param/{place}"] for place in range(9) if f"param/{place}" in data]
    if params:
        weights = tmp_path / "net.caffemodel"
        write_weights(weights, {"l": params})
    suffix = "@0" if int(data["steps"]) > 1 else ""
    given = {}
    for each in net.net.layer:
        for top in each.top if each.type == "Input" else ():
            key = f"bottom/{top.removeprefix('in_')}{suffix}"
            given[top] = data[key if key in data else f"bottom/{top}{suffix}"]
    if case.startswith("Silence"):
        with pytest.raises(UsageError, match="no layer computes anything"):
            export_net(net, weights)
        return
    hold(net, given, weights)


@pytest.mark.parametrize("name", ["lenet", "squeezenet", "mobilenet", "resnet50", "googlenet"])
def test_known_nets_take_batches_of_any_size(name: str) -> None:
    pasted = read_net(Source.read(ROOT / "examples" / "prototxt" / name / "net.prototxt"))
    for each in pasted.net.layer:
        if each.type == "InnerProduct" and not each.inner_product_param.num_output:
            each.inner_product_param.num_output = 10
    extent, channels = (28, 1) if name == "lenet" else (224, 3)
    exported = export_net(make_deploy(pasted, (channels, extent, extent)).definition)
    assert exported.any_batch
    (given,) = exported.model.graph.input
    extents = [axis.dim_param or axis.dim_value for axis in given.type.tensor_type.shape.dim]
    assert extents == ["N", channels, extent, extent]
    x = np.random.default_rng(3).normal(size=(2, channels, extent, extent)).astype(np.float32)
    together = ask(exported, {given.name: x})
    for place in range(2):
        alone = ask(exported, {given.name: x[place : place + 1]})
        for blob, both in together.items():
            np.testing.assert_allclose(alone[blob][0], both[place], rtol=1e-3, atol=1e-6)


def test_trained_weights_give_caffes_accuracy() -> None:
    """The digits that Caffe's log calls right are right in onnxruntime."""
    from protonet.data.database import Database
    from protonet.data.datum import decode

    net = read_net(Source.read(ROOT / "examples" / "pycaffe" / "deploy.prototxt"))
    exported = export_net(net, GOLDEN / "digits" / "digits_iter_200.caffemodel")
    assert exported.absent == ()
    (given,) = exported.model.graph.input
    with Database(GOLDEN / "digits" / "test_db") as database:
        datums = [database.get(key) for key in list(database.keys())]
    x = np.stack([decode(datum, "").astype(np.float32) for datum in datums])
    (scores,) = ask(exported, {given.name: (x - 64) / 128}).values()
    right = np.mean(scores.reshape(len(x), -1).argmax(1) == [datum.label for datum in datums])
    assert right == pytest.approx(0.882155, abs=1e-6)


def test_names_are_those_of_the_blobs() -> None:
    """A blob that layers overwrite in place has its last value under its own name."""
    net = definition("""
        layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 4 dim: 3 } } }
        layer { name: "ip" type: "InnerProduct" bottom: "x" top: "h"
          inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
        layer { name: "relu" type: "ReLU" bottom: "h" top: "h" }
        layer { name: "drop" type: "Dropout" bottom: "h" top: "h" }
        layer { name: "ip2" type: "InnerProduct" bottom: "h" top: "y"
          inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
        layer { name: "twice" type: "Split" bottom: "y" top: "one" top: "two" }
    """)
    exported = hold(net, values(net))
    made = [name for node in exported.model.graph.node for name in node.output]
    assert made == ["h/before", "h", "y", "one", "two"]
    names = {each.name for each in exported.model.graph.initializer}
    assert names == {"ip/0", "ip/1", "ip2/0", "ip2/1"}


def test_a_shared_parameter_is_written_once() -> None:
    net = definition("""
        layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 4 dim: 3 } } }
        layer { name: "a" type: "InnerProduct" bottom: "x" top: "h" param { name: "w" }
          inner_product_param { num_output: 3 bias_term: false weight_filler { type: "xavier" } } }
        layer { name: "b" type: "InnerProduct" bottom: "h" top: "y" param { name: "w" }
          inner_product_param { num_output: 3 bias_term: false weight_filler { type: "xavier" } } }
    """)
    exported = hold(net, values(net))
    assert [each.name for each in exported.model.graph.initializer] == ["a/0"]


def test_a_batch_that_a_layer_fixes_stays() -> None:
    text = 'type: "Reshape" reshape_param { shape { dim: 4 dim: 6 } }'
    net = layer(text, (4, 2, 3))
    exported = hold(net, values(net))
    assert not exported.any_batch
    (made,) = exported.model.graph.output
    assert [axis.dim_value for axis in made.type.tensor_type.shape.dim] == [4, 6]


def test_a_constant_that_grows_with_the_batch_fixes_it() -> None:
    net = layer('type: "Tile" tile_param { axis: 1 tiles: 2 }', (4, 2, 3))
    assert export_net(net).any_batch
    crop = layer('type: "Crop" crop_param { axis: 0 }', (4, 5), (3, 2))
    assert not hold(crop, values(crop)).any_batch


def test_a_batch_that_is_asked_for() -> None:
    net = layer('type: "ReLU"', (4, 2, 3))
    exported = export_net(net, batch=7)
    (given,) = exported.model.graph.input
    assert [axis.dim_value for axis in given.type.tensor_type.shape.dim] == [7, 2, 3]
    assert not exported.any_batch


def test_all_layers_that_onnx_lacks_are_pointed_at() -> None:
    text = """layer { name: "d" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "t" type: "Input" top: "t" input_param { shape { dim: 2 } } }
layer { name: "h" type: "HingeLoss" bottom: "x" bottom: "t" top: "h" }
layer { name: "r" type: "ReLU" bottom: "x" top: "r" }
layer { name: "a"
  type: "Accuracy" bottom: "x" bottom: "t" top: "a" }
"""
    with pytest.raises(NetworkError) as caught:
        export_net(definition(text))
    hinge, accuracy = caught.value.mistakes
    assert (hinge.line, accuracy.line) == (3, 6)
    assert hinge.message == (
        'layer "h" (HingeLoss) has no place in ONNX: it is for training; export the deploy net, '
        "which ends before it"
    )
    assert "measures a training" in accuracy.message


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (
            'type: "BatchNorm" batch_norm_param { use_global_stats: false }',
            "the batch at hand",
            "use_global_stats: true",
        ),
        ('type: "BN" bn_param { bn_mode: LEARN }', "the batch at hand", "bn_mode: INFERENCE"),
        (
            'type: "Unpooling" unpooling_param { kernel_size: 1 unpool_size: 3 }',
            "has no mask",
            "second top of the Pooling",
        ),
        (
            'type: "Dropout" dropout_param { sample_weights_test: true }',
            "draws at random",
            "without it",
        ),
    ],
)
def test_a_setting_that_onnx_lacks_is_pointed_at(text: str, message: str, hint: str) -> None:
    with pytest.raises(NetworkError, match=message) as caught:
        export_net(layer(text, (4, 2, 3, 3)))
    (mistake,) = caught.value.mistakes
    assert hint in mistake.hint


def test_layers_of_ones_own_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(CONVERTERS, "ReLU")
    with pytest.raises(NetworkError, match="it has no converter: it is a layer of your own"):
        export_net(layer('type: "ReLU"', (4, 2)))


def test_weights_of_another_net_are_refused(tmp_path: Path) -> None:
    net = layer('type: "InnerProduct" inner_product_param { num_output: 4 }', (2, 3))
    path = tmp_path / "w.caffemodel"
    write_weights(path, {"l": [np.ones((4, 5), np.float32), np.ones(4, np.float32)]})
    with pytest.raises(FormatError, match="l"):
        export_net(net, path)
    write_weights(path, {"other": [np.ones((4, 5), np.float32)]})
    assert export_net(net, path).absent == ("l",)


def test_more_than_a_message_holds_goes_to_a_second_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = layer('type: "InnerProduct" inner_product_param { num_output: 400 }', (2, 30))
    weights = tmp_path / "w.caffemodel"
    random = np.random.default_rng(1)
    params = [random.normal(size=shape).astype(np.float32) for shape in ((400, 30), (400,))]
    write_weights(weights, {"l": params})
    exported = export_net(net, weights)
    given = values(net)
    expected = ask(exported, given)["y0"]
    assert write_model(exported.model, tmp_path / "one.onnx") == [tmp_path / "one.onnx"]
    monkeypatch.setattr(export, "_LARGEST", 10_000)
    made = write_model(export_net(net, weights).model, tmp_path / "two.onnx")
    assert made == [tmp_path / "two.onnx", tmp_path / "two.onnx.data"]
    assert made[0].stat().st_size < 10_000 < made[1].stat().st_size
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "one.onnx", "two.onnx", "two.onnx.data", "w.caffemodel",
    ]  # fmt: skip
    for name in ("one.onnx", "two.onnx"):
        session = onnxruntime.InferenceSession(tmp_path / name)
        (found,) = session.run(["y0"], given)
        np.testing.assert_array_equal(found, expected)


def test_a_layer_in_place_on_an_input() -> None:
    text = """
    layer { name: "in" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
    layer { name: "p" type: "Power" bottom: "data" top: "data" power_param { scale: 2 shift: 1 } }
    """
    inner = definition(text + 'layer { name: "sum" type: "Reduction" bottom: "data" top: "sum" }')
    hold(inner, values(inner))
    given = values(definition(text))
    found = ask(export_net(definition(text), None), given)
    np.testing.assert_allclose(found["data/out"], 2 * given["data"] + 1, rtol=1e-6)
