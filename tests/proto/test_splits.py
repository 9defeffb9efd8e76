"""Split layers as Caffe inserts them."""

from __future__ import annotations

from protonet.proto.splits import insert_splits
from protonet.proto.text import Source, read_net

TEXT = """
layer { name: "in" type: "Input" top: "data" top: "label" }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" }
layer { name: "relu" type: "ReLU" bottom: "ip" top: "ip" }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
layer { name: "acc" type: "Accuracy" bottom: "ip" bottom: "label" top: "acc" }
"""


def split(text: str) -> list[tuple[str, list[str], list[str]]]:
    net = insert_splits(read_net(Source("net", text))).net
    return [(layer.name, list(layer.bottom), list(layer.top)) for layer in net.layer]


def test_a_top_that_several_read_is_split_behind_its_maker() -> None:
    assert split(TEXT) == [
        ("in", [], ["data", "label"]),
        ("label_in_1_split", ["label"], ["label_in_1_split_0", "label_in_1_split_1"]),
        ("ip", ["data"], ["ip"]),
        ("relu", ["ip"], ["ip"]),
        ("ip_relu_0_split", ["ip"], ["ip_relu_0_split_0", "ip_relu_0_split_1"]),
        ("loss", ["ip_relu_0_split_0", "label_in_1_split_0"], ["loss"]),
        ("acc", ["ip_relu_0_split_1", "label_in_1_split_1"], ["acc"]),
    ]


def test_a_loss_that_is_read_weighs_at_its_split() -> None:
    text = """
    layer { name: "in" type: "Input" top: "x" }
    layer { name: "sum" type: "Reduction" bottom: "x" top: "sum" loss_weight: 2 }
    layer { name: "more" type: "Power" bottom: "sum" top: "more" }
    """
    net = insert_splits(read_net(Source("net", text))).net
    assert [list(layer.loss_weight) for layer in net.layer] == [[], [0], [2, 0], []]
    assert list(net.layer[3].bottom) == ["sum_sum_0_split_1"]


def test_a_reader_in_place_leaves_the_top_alone() -> None:
    """Caffe refuses such a net; here it is computed."""
    text = """
    layer { name: "in" type: "Input" top: "x" }
    layer { name: "a" type: "Power" bottom: "x" top: "y" }
    layer { name: "b" type: "ReLU" bottom: "x" top: "x" }
    """
    assert [name for name, _, _ in split(text)] == ["in", "a", "b"]


def test_mistakes_still_point_at_their_lines() -> None:
    definition = insert_splits(read_net(Source("net", TEXT)))
    assert len(definition.origins) == len(definition.net.layer)
    assert definition.origins[1] == definition.origins[0]
