"""Data for networks that bring none; the command check tests what follows from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from protonet.data.create import create_gradients
from protonet.errors import UsageError
from protonet.jobs.definitions.inputs import (
    InputOptions,
    with_batch_size,
    with_databases,
    with_inputs,
)
from protonet.proto.caffe_pb2 import TEST, TRAIN
from protonet.proto.text import NetDefinition, Source, read_net
from tests.jobs.nets import SEED, net_of

BATCHES = """
layer { name: "a" type: "Data" top: "a" data_param { batch_size: 4 } }
layer { name: "b" type: "HDF5Data" top: "b" hdf5_data_param { batch_size: 4 } }
layer { name: "c" type: "Input" top: "c" top: "d" input_param {
  shape { dim: 4 dim: 3 } shape { dim: 4 dim: 5 dim: 2 } } }
layer { name: "e" type: "DummyData" top: "e" dummy_data_param {
  num: 4 channels: 3 height: 2 width: 1 } }
layer { name: "f" type: "Reshape" bottom: "c" top: "f" reshape_param { shape { dim: 4 } } }
"""


def definition(text: str) -> NetDefinition:
    return read_net(Source("net.prototxt", text))


def test_every_layer_that_brings_data_gets_the_batch_size() -> None:
    before = definition(BATCHES)
    a, b, c, e, f = with_batch_size(before, 7).net.layer
    assert (a.data_param.batch_size, b.hdf5_data_param.batch_size) == (7, 7)
    assert [list(shape.dim) for shape in c.input_param.shape] == [[7, 3], [7, 5, 2]]
    assert list(e.dummy_data_param.num) == [7]
    assert list(f.reshape_param.shape.dim) == [4]
    assert before.net.layer[0].data_param.batch_size == 4


def test_shapes_take_the_place_of_data() -> None:
    text = SEED + 'layer { name: "data" type: "Data" top: "data" }'
    made = with_inputs(definition(text), {"data": (3, 1, 4, 5), "label": (3, 2)})
    assert [layer.type for layer in made.net.layer] == [
        "Input", "Input", "Power", "InnerProduct", "EuclideanLoss",
    ]  # fmt: skip
    assert len(made.origins) == 5
    with pytest.raises(UsageError, match="--input dat: no layer has this bottom"):
        with_inputs(definition(text), {"dat": (3,)})


def test_a_top_that_nobody_reads_needs_no_shape() -> None:
    """A label beside the images, in a net without its loss."""
    text = """
    layer { name: "d" type: "Data" top: "data" top: "label" data_param { source: "gone" } }
    layer { name: "other" type: "Data" top: "more" data_param { source: "gone" } }
    layer { name: "r" type: "ReLU" bottom: "data" top: "y" }
    """
    made = with_inputs(definition(text), {"data": (3, 5)})
    assert [layer.name for layer in made.net.layer] == ["data", "other", "r"]
    read = text.replace('bottom: "data"', 'bottom: "data" bottom: "label"')
    made = with_inputs(definition(read), {"data": (3, 5)})
    assert [layer.name for layer in made.net.layer] == ["data", "d", "other", "r"]


def test_databases_take_the_place_of_data(tmp_path: Path) -> None:
    create_gradients(tmp_path / "d", width=8, height=6, count=5, val_count=1)
    images, labels = tmp_path / "d" / "train_images", tmp_path / "d" / "train_labels"
    made = with_databases(definition(SEED), images, labels, 3)
    assert {layer.data_param.batch_size for layer in made.net.layer if layer.type == "Data"} == {3}
    deployed = with_databases(definition(SEED), images, labels, 3, ["deploy"])
    assert list(deployed.net.layer[0].input_param.shape[0].dim) == [1, 1, 6, 8]


ASKED = """
layer { name: "in" type: "Input" top: "data" top: "label"
  input_param { shape { dim: 5 dim: 3 } shape { dim: 5 } } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
  inner_product_param { num_output: 3 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""


def test_a_batch_size_and_shapes_that_are_given() -> None:
    asked = read_net(Source("net", ASKED))
    made, stages = InputOptions(batch_size=6).put(asked, TRAIN, ["x"])
    assert [list(shape.dim) for shape in made.net.layer[0].input_param.shape] == [[6, 3], [6]]
    assert stages == ["x"]
    made, _ = InputOptions(inputs={"data": (2, 7), "label": (2,)}).put(asked, TRAIN)
    assert [layer.type for layer in made.net.layer][:2] == ["Input", "Input"]
    assert InputOptions().put(asked, TRAIN) == (asked, ())


def test_databases_choose_the_stage(gradients: Path) -> None:
    given = InputOptions(data=gradients / "train_images", labels=gradients / "train_labels")
    pasted = net_of(SEED)
    assert given.put(pasted, TRAIN)[1] == ("train",)
    assert given.put(pasted, TEST)[1] == ("val",)
    made, stages = given.put(pasted, TEST, ("deploy",))
    assert (made.net.layer[0].type, stages) == ("Input", ("deploy",))


def test_given_data_that_contradict_each_other() -> None:
    with pytest.raises(UsageError, match="--labels needs --data"):
        InputOptions(labels=Path("x"))
    with pytest.raises(UsageError, match="both give shapes"):
        InputOptions(data=Path("x"), inputs={"data": (2, 7)})
