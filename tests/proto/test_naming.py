"""Names for layers that have none."""

from __future__ import annotations

from protonet.proto.caffe_pb2 import NetParameter
from protonet.proto.text import Source, read_net
from protonet.proto.upgrade import upgrade_message

UNNAMED = """
layer { type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
layer { type: "InnerProduct" bottom: "data" top: "ip" }
layer { type: "ReLU" bottom: "ip" top: "ip" }
layer { type: "ReLU" bottom: "ip" top: "ip" }
layer { name: "y" type: "Power" bottom: "ip" top: "x" }
layer { type: "Power" bottom: "ip" top: "y" }
layer { type: "Silence" bottom: "y" }
layer { type: "DummyData" }
"""
NAMES = ["data", "ip", "ip_relu", "ip_relu_2", "y", "y_power", "y_silence", "dummydata"]


def test_layers_without_a_name_are_called_after_their_blob() -> None:
    assert [layer.name for layer in read_net(Source("net", UNNAMED)).net.layer] == NAMES


def test_the_older_dialects_are_named_alike() -> None:
    text = """layers { type: DATA top: "data" }
    layers { type: INNER_PRODUCT bottom: "data" top: "ip" }
    layers { type: RELU bottom: "ip" top: "ip" }"""
    names = [layer.name for layer in read_net(Source("net", text)).net.layer]
    assert names == ["data", "ip", "ip_relu"]


def test_files_of_weights_are_named_as_texts() -> None:
    weights = NetParameter()
    for kind, bottom, top in (("InnerProduct", "data", "ip"), ("ReLU", "ip", "ip")):
        weights.layer.add(type=kind, bottom=[bottom], top=[top])
    assert [layer.name for layer in upgrade_message(weights).layer] == ["ip", "ip_relu"]
