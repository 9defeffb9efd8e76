"""Weights of nets: loaded from files, and given to them."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.device import Device
from protonet.errors import FormatError
from protonet.graph.net import Net
from protonet.proto.caffe_pb2 import TEST
from tests.graph.nets import SEED, net_of, plan_of


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


POINTS = """
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 dim: 8 dim: 7 dim: 5 } } }
layer { name: "one" type: "Convolution" bottom: "x" top: "y"
  convolution_param { num_output: 8 kernel_size: 1 } }
layer { name: "two" type: "Convolution" bottom: "y" top: "z" param { name: "w" }
  convolution_param { num_output: 8 kernel_size: 1 bias_term: false } }
layer { name: "three" type: "Convolution" bottom: "z" top: "out" param { name: "w" }
  convolution_param { num_output: 8 kernel_size: 1 bias_term: false } }
"""
"""The two last layers share their weights."""


def points(scale: float) -> dict[str, list[np.ndarray | None]]:
    weight = scale * np.random.default_rng(1).normal(size=(8, 8, 1, 1))
    return {"one": [weight, np.arange(8.0)], "two": [weight + 0.25], "three": [weight + 0.25]}


def answer(net: Net) -> np.ndarray:
    net.inputs["x"].data[...] = 0.5
    net.forward()
    return net.outputs()[0][1]


def test_released_weights_answer_the_same_and_can_be_loaded_again() -> None:
    plain, kept = net_of(POINTS, TEST), net_of(POINTS, TEST, packed=True, keep_weights=True)
    for scale in (1.0, -0.5):
        for net, release in ((plain, False), (kept, True)):
            net.load(points(scale), "file", release=release)
        np.testing.assert_allclose(answer(kept), answer(plain), rtol=1e-5, atol=1e-5)
        released = [p.released for name in ("one", "two", "three") for p in kept.params[name]]
        assert released == [True, False, False, False]  # shared ones stay
    kept.load({"one": [None, np.ones(8)]}, "a part")
    plain.load({"one": [None, np.ones(8)]}, "a part")
    np.testing.assert_allclose(answer(kept), answer(plain), rtol=1e-5, atol=1e-5)
    for read in (kept.message, kept.stored_params):
        with pytest.raises(ValueError, match="the values of one/0 are kept packed only"):
            read()


def test_a_net_for_another_batch_loads_what_it_needs_of_released_weights() -> None:
    kept = net_of(POINTS, TEST, packed=True, keep_weights=True)
    kept.load(points(1.0), "file", release=True)
    before = answer(kept)
    plan = plan_of(POINTS.replace("dim: 1 dim: 8 dim: 7", "dim: 2 dim: 8 dim: 7"), TEST)
    two = Net(plan, Device(), packed=True, keep_weights=True, params_of=kept)
    two.complete({})  # it has the same form
    (form,) = kept.params["one"][0].packed
    np.testing.assert_array_equal(answer(two)[1:], before)
    # A kernel that packs in no form reads the parameter as it is.
    two.layers[1]._convolve.keeps_weights = False
    two.complete(points(1.0))
    assert not two.params["one"][0].released
    assert list(kept.params["one"][0].packed) == [form]
    np.testing.assert_allclose(answer(two)[1:], before, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(answer(kept), before)
