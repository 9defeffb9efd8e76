"""Weights of nets: loaded from files, and given to them."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import FormatError
from protonet.proto.caffe_pb2 import TEST
from tests.graph.nets import SEED, net_of


def test_weights_of_another_net_are_refused_whole() -> None:
    net = net_of(SEED)
    kept = net.store.data.copy()
    with pytest.raises(FormatError, match=r"layer 'hidden' parameter 0: expected 2x20, got 3x20"):
        net.load({"hidden": [np.ones((3, 20)), np.ones(2)]}, "other.caffemodel")
    with pytest.raises(FormatError, match=r"has 2 parameter\(s\), not 1"):
        net.load({"hidden": [np.ones((2, 20))]}, "other.caffemodel")
    np.testing.assert_array_equal(net.store.data, kept)


def test_layers_without_weights_in_the_file_are_reported() -> None:
    assert net_of(SEED).load({}, "empty").absent == ("hidden",)


TWINS = """
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "one" type: "InnerProduct" bottom: "x" top: "a"
  param { name: "w" } param { name: "b" } inner_product_param { num_output: 3 } }
layer { name: "two" type: "InnerProduct" bottom: "a" top: "b"
  param { name: "w" } param { name: "b" } inner_product_param { num_output: 3 } }
layer { name: "own" type: "InnerProduct" bottom: "a" top: "c" param { name: "w" }
  inner_product_param { num_output: 3 } }
"""


def test_a_layer_whose_parameters_came_with_another_layer_is_not_without_weights() -> None:
    """As in HDF5 files, which hold what is shared once, and files of one half of such a net."""
    net = net_of(TWINS)
    report = net.load({"one": [np.full((3, 3), 2.0), np.ones(3)]}, "half.caffemodel")
    assert (report.loaded, report.absent) == (("one",), ("own",))
    assert (net.params["two"][0].data == 2).all()


def test_a_layer_that_the_file_lists_without_weights_is_refused() -> None:
    """Caffe aborts there: its file of the same net always has them."""
    net = net_of(SEED)
    kept = net.store.data.copy()
    message = r"layer 'hidden' has 2 parameter\(s\), and the file lists it without any"
    with pytest.raises(FormatError, match=message):
        net.load({"hidden": []}, "empty.caffemodel")
    report = net.load({"hidden": [], "data": []}, "empty.caffemodel", allow_mismatch=True)
    assert (report.loaded, report.absent, report.unused) == ((), ("hidden",), ())
    np.testing.assert_array_equal(net.store.data, kept)


def test_a_message_says_what_caffe_writes_into_a_caffemodel() -> None:
    net = net_of(SEED, TEST)
    made = {layer.name: layer for layer in net.message().layer}
    assert {layer.phase for layer in made.values()} == {TEST}
    assert [list(blob.shape.dim) for blob in made["hidden"].blobs] == [[2, 20], [2]]
    np.testing.assert_array_equal(made["hidden"].blobs[0].data, net.params["hidden"][0].data.flat)
    assert made["loss"].loss_weight == [1]
